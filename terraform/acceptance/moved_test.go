package acceptance

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/terraform/tf/promotion"
)

// TestStaticStateIsKept plans the roots on the states in testdata. Commit 4d693fd wrote them: its AWS
// root was applied to moto, its local root to LocalStack. The plan must destroy nothing, except for new
// revisions of task definitions and new parameter groups, and must move every resource of the modules
// that exist no longer. It reads no resource, so no server is needed.
func TestStaticStateIsKept(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	packages := mustPackages(t)
	zips := map[string]string{}
	for _, function := range []string{"recommend", "serve"} {
		zips[function] = filepath.Join(packages, function+".zip")
	}
	tests := map[string]struct {
		account string
		vars    map[string]any
	}{
		"aws": {awsAccount, onGlue(variables("dev", packages))}, // as at that commit
		"local": {"000000000000", map[string]any{"endpoint": "http://127.0.0.1:4566", "suffix": "old",
			"pgvector_dsn":        "postgres://reader:local@127.0.0.1:5432/kindred",
			"pgvector_writer_dsn": "postgres://writer:local@127.0.0.1:5432/kindred", "function_zips": zips,
			"shop_login":        map[string]string{"username": "shop", "password": "local"},
			"host_architecture": "x86_64"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := mustState(t, filepath.Join("testdata", name+"-4d693fd.state.json.gz"), packages)
			root := w.Root(name, "static-kept-"+name, promotion.Emulator(noAWS(t, test.account), awsRegion)...)
			root.Dir = mustCopy(t, w.Repository, name)
			if err := root.Init(t.Context(), "-backend-config=path="+state); err != nil {
				t.Fatal(err)
			}
			vars, plan := mustVariables(t, test.vars), filepath.Join(t.TempDir(), "plan")
			for _, args := range [][]string{
				{"plan", "-refresh=false", "-input=false", "-no-color", "-var-file=" + vars, "-out=" + plan},
				{"show", "-json", plan},
			} {
				out, err := root.Run(t.Context(), args...)
				if err != nil {
					t.Fatal(err)
				}
				if args[0] == "show" {
					checkKept(t, out, state)
				}
			}
		})
	}
}

// onGlue adds to variables that Glue reads the shop.
func onGlue(vars map[string]any) map[string]any {
	vars["etl_workers"] = 2
	return vars
}

// checkKept checks a plan on the state.
func checkKept(t *testing.T, plan []byte, state string) {
	t.Helper()
	changes, err := promotion.Changes(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Log(c)
		// A task definition is never changed: ECS makes a new revision, and running tasks keep theirs.
		// A parameter group of another name takes the place of the old one, which holds no data.
		revision := (strings.Contains(c.Address, ".aws_ecs_task_definition.") || strings.Contains(c.Address,
			".aws_db_parameter_group.")) &&
			strings.Contains(c.Actions, "create")
		// An endpoint of a service that no program calls holds nothing.
		unused := slices.Contains([]string{"kms", "sts"}, strings.Trim(strings.TrimPrefix(c.Address,
			"module.network.aws_vpc_endpoint.interface"), `[]"`))
		// The log of slow statements, which has values of customers, is gone on purpose.
		slow := strings.HasSuffix(c.Address, `aws_cloudwatch_log_group.this["slowquery"]`)
		// The group that all programs shared: each has its own now. A group holds nothing.
		shared := strings.HasPrefix(c.Address, "module.network.aws_security_group.workload") ||
			strings.HasPrefix(c.Address, "module.network.aws_vpc_security_group_")
		if strings.Contains(c.Actions, "delete") && !revision && !unused && !slow && !shared {
			t.Errorf("the plan would %s", c)
		}
	}
	var planned struct {
		Resources []struct {
			Previous string `json:"previous_address"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal(plan, &planned); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, r := range planned.Resources {
		if r.Previous != "" {
			moved++
		}
	}
	var old struct {
		Resources []struct {
			Module, Type string
			Instances    []any
		}
	}
	if err := json.Unmarshal(mustRead(t, state), &old); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, r := range old.Resources {
		glue := r.Module == "module.etl" && !strings.HasPrefix(r.Type, "aws_glue_catalog_") &&
			r.Type != "aws_glue_data_catalog_encryption_settings"
		if strings.HasPrefix(r.Module, "module.streaming") || strings.HasPrefix(r.Module, "module.training") || glue ||
			r.Type == "aws_cloudwatch_dashboard" {
			want += len(r.Instances)
		}
	}
	if moved != want || want == 0 {
		t.Errorf("%d resources move, want %d", moved, want)
	}
}

// mustState writes a compressed state of testdata into a folder of the test. Its packages are in
// packages.
func mustState(t *testing.T, file, packages string) string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // opened for reading
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "terraform.tfstate")
	if err := os.WriteFile(state, []byte(strings.ReplaceAll(string(text), "PACKAGES", packages)), 0o600); err != nil {
		t.Fatal(err)
	}
	return state
}

// mustCopy copies the configuration, and gives the root a local state, which the AWS root does not have.
func mustCopy(t *testing.T, repository, root string) string {
	t.Helper()
	folder := t.TempDir()
	for _, part := range []string{"terraform/modules", "terraform/" + root, "localstack/settings"} {
		if err := os.CopyFS(filepath.Join(folder, part), os.DirFS(filepath.Join(repository, part))); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(folder, "terraform", root)
	const backend = "terraform {\n  backend \"local\" {}\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "backend_override.tf"), []byte(backend), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mustVariables writes a file of variables.
func mustVariables(t *testing.T, vars map[string]any) string {
	t.Helper()
	text, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "terraform.tfvars.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// noAWS starts a server that answers the two calls of a plan that reads no resource: whose account
// it is, and whether the state machine is valid.
func noAWS(t *testing.T, account string) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Amz-Target") == "AWSStepFunctions.ValidateStateMachineDefinition":
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, `{"result": "OK", "diagnostics": []}`)
		case r.FormValue("Action") == "GetCallerIdentity":
			w.Header().Set("Content-Type", "text/xml")
			_, _ = fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`+
				`<GetCallerIdentityResult><Arn>arn:aws:iam::%s:root</Arn><UserId>%[1]s</UserId><Account>%[1]s</Account>`+
				`</GetCallerIdentityResult></GetCallerIdentityResponse>`, account)
		default:
			http.Error(w, "a plan without refresh does not need this", http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
