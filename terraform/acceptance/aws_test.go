package acceptance

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"kindred/internal/awsclient"
	"kindred/internal/terraform"
)

const (
	awsRegion   = "eu-west-1"
	awsAccount  = "123456789012" // moto's
	stateBucket = "kindred-state"
)

// TestAWSRootOnMoto applies terraform/aws whole against a patched moto server, with its state in S3: the second plan is empty, the state
// holds no secret, the roles allow what the programs call and nothing wider, a second environment shares no name, and destroy
// leaves nothing. One test, because each step builds on the one before, and the whole takes five minutes.
func TestAWSRootOnMoto(t *testing.T) {
	w := mustOpen(t)
	moto, err := w.StartMoto(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(moto.Stop)
	cfg := aws.Config{Region: awsRegion, BaseEndpoint: &moto.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	_, err = awsclient.S3(cfg).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(stateBucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awsRegion}})
	if err != nil {
		t.Fatal(err)
	}
	before := mustCount(t, moto)

	dev := newEnvironment(t, w, moto, "dev")
	step := time.Now()
	dev.mustRun(t, "apply", "-input=false", "-no-color", "-auto-approve", dev.vars)
	resources, err := terraform.Resources(dev.mustRun(t, "show", "-json"))
	if err != nil {
		t.Fatal(err)
	}
	managed := 0
	for _, r := range resources {
		if r.Mode == "managed" {
			managed++
		}
	}
	t.Logf("apply: %d resources, %v", managed, time.Since(step).Round(time.Second))

	if held := mustCount(t, moto); sum(held)-sum(before) < managed/4 {
		t.Errorf("the server counts %d things for %d resources: the last check would see nothing", sum(held)-sum(before), managed)
	}

	t.Run("the second plan is empty", func(t *testing.T) {
		for _, c := range dev.mustPlan(t) {
			t.Errorf("it would %s", c)
		}
	})
	t.Run("no secret in state or outputs", func(t *testing.T) { checkSecrets(t, cfg, dev, resources) })
	t.Run("the programs know their variables", func(t *testing.T) { checkEnvironment(t, w, resources) })
	t.Run("policies", func(t *testing.T) { checkPolicies(t, w, resources) })
	t.Run("a second environment shares no name", func(t *testing.T) {
		stage := newEnvironment(t, w, moto, "stage")
		checkNames(t, resources, stage.mustPlanned(t))
	})

	step = time.Now()
	dev.mustRun(t, "destroy", "-input=false", "-no-color", "-auto-approve", dev.vars)
	t.Logf("destroy: %v", time.Since(step).Round(time.Second))
	after := mustCount(t, moto)
	for kind, n := range after {
		if reason, listed := leftovers()[kind]; n > before[kind] && !listed {
			t.Errorf("destroy leaves %d of %s", n-before[kind], kind)
		} else if n > before[kind] {
			t.Logf("destroy leaves %d of %s: %s", n-before[kind], kind, reason)
		}
	}
}

// leftovers are what a destroy may leave, with the reason.
func leftovers() map[string]string {
	return map[string]string{
		"kms keys":                              "AWS deletes a key 7 days later, so that a mistake is not final",
		"ecs task_definitions":                  "ECS keeps what it ran, as inactive",
		"ecs clusters":                          "likewise",
		"ec2 vpc_end_points":                    "moto keeps them, as deleted",
		"ec2 groups":                            "moto keeps the default group's place of a deleted network",
		"ec2 network_acls":                      "moto keeps a deleted network's default list; it was not made here",
		"ec2 tags":                              "moto keeps tags of what is gone",
		"rds events":                            "a history",
		"glue data_catalog_encryption_settings": "an account's setting, put back to unencrypted, not deleted",
	}
}

// environment is terraform/aws with one environment's values and state.
type environment struct {
	root       *terraform.Root
	vars, plan string
}

func newEnvironment(t *testing.T, w *terraform.Workspace, moto *terraform.Moto, name string) environment {
	t.Helper()
	folder := t.TempDir()
	packages := mustPackages(t)
	vars, err := json.Marshal(map[string]any{
		"environment": name, "account_id": awsAccount, "region": awsRegion, "package_dir": packages, "image_tag": "0123456789ab",
		"protect": false, "max_retries": 2, "alarm_emails": []string{"shop@example.com"}, "own_account_settings": name == "dev",
		"serve_callers": []string{"arn:aws:iam::" + awsAccount + ":role/shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "terraform.tfvars.json")
	if err := os.WriteFile(file, vars, 0o600); err != nil {
		t.Fatal(err)
	}
	e := environment{root: w.Root("aws", "moto-"+name, terraform.Emulator(moto.Endpoint, awsRegion)...), vars: "-var-file=" + file,
		plan: filepath.Join(folder, "plan")}
	e.mustRun(t, "init", "-input=false", "-no-color", "-reconfigure", "-backend-config=bucket="+stateBucket,
		"-backend-config=key="+name+".tfstate", "-backend-config=region="+awsRegion, "-backend-config=use_path_style=true")
	return e
}

func (e environment) mustRun(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := e.root.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (e environment) mustPlan(t *testing.T) []terraform.Change {
	t.Helper()
	e.mustRun(t, "plan", "-input=false", "-no-color", e.vars, "-out="+e.plan)
	changes, err := terraform.Changes(e.mustRun(t, "show", "-json", e.plan))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// mustPlanned returns the resources as the plan would make them.
func (e environment) mustPlanned(t *testing.T) map[string]terraform.Resource {
	t.Helper()
	e.mustRun(t, "plan", "-input=false", "-no-color", e.vars, "-out="+e.plan)
	resources, err := terraform.Resources(plannedAsState(t, e.mustRun(t, "show", "-json", e.plan)))
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

func plannedAsState(t *testing.T, plan []byte) []byte {
	t.Helper()
	var p struct {
		Planned json.RawMessage `json:"planned_values"`
	}
	if err := json.Unmarshal(plan, &p); err != nil {
		t.Fatal(err)
	}
	state, err := json.Marshal(map[string]any{"values": p.Planned})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// mustPackages makes what `make package` makes, with empty programs: the control plane does not run them.
func mustPackages(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "glue"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"glue/launcher.py", "glue/etl", "glue/rds-ca.pem"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"recommend.zip", "serve.zip"} {
		f, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		if _, err := z.Create("bootstrap"); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// checkSecrets fetches every secret that the server made and looks for it in the state as S3 holds it; attributes that are made for
// secrets must be empty.
func checkSecrets(t *testing.T, cfg aws.Config, e environment, resources map[string]terraform.Resource) {
	state := string(e.mustRun(t, "state", "pull")) + string(e.mustRun(t, "output", "-json"))
	secrets := secretsmanager.NewFromConfig(cfg)
	list, err := secrets.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.SecretList) < 2 {
		t.Errorf("%d secrets exist, want one of each database", len(list.SecretList))
	}
	for _, s := range list.SecretList {
		value, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: s.ARN})
		if err != nil {
			t.Fatal(err)
		}
		var parts map[string]any
		if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &parts); err != nil {
			t.Fatalf("secret %s is no JSON object", aws.ToString(s.Name))
		}
		if password, _ := parts["password"].(string); password == "" || strings.Contains(state, password) {
			t.Errorf("the state holds the password of %s, or there is none", aws.ToString(s.Name))
		}
	}
	forSecrets := regexp.MustCompile(`(?i)(^|_)(password|secret_string|secret_binary|token|private_key|access_key|secret_key)$`)
	for address, r := range resources {
		for name, value := range r.Values {
			if text, _ := value.(string); text != "" && forSecrets.MatchString(name) {
				t.Errorf("%s.%s is set in the state", address, name)
			}
		}
	}
	if dsn := regexp.MustCompile(`://[^:/@"]+:[^@/"]+@`).FindString(state); dsn != "" {
		t.Errorf("the state holds a user and a password in an address (%d characters)", len(dsn))
	}
}

// checkNames looks for a resource of both environments that has the same name: AWS would refuse the second, or worse, share it.
func checkNames(t *testing.T, first, second map[string]terraform.Resource) {
	taken := map[string]string{}
	for address, r := range first {
		if r.Mode != "managed" {
			continue
		}
		for _, name := range names(r) {
			taken[r.Type+" "+name] = address
		}
	}
	if len(taken) < 60 {
		t.Errorf("only %d names were compared", len(taken))
	}
	for address, r := range second {
		if r.Mode != "managed" {
			continue
		}
		for _, name := range names(r) {
			if other, found := taken[r.Type+" "+name]; found {
				t.Errorf("%s and the other environment's %s are both named %s", address, other, name)
			}
		}
	}
}

// names are the attributes that must be unique in an account or in the world.
func names(r terraform.Resource) []string {
	var found []string
	for _, attribute := range []string{"bucket", "name", "identifier", "function_name", "family", "alarm_name", "dashboard_name"} {
		value, _ := r.Values[attribute].(string)
		switch {
		case value == "":
		case attribute == "family" && r.Type != "aws_ecs_task_definition": // the engine's, not a name
		case attribute == "name" && slices.Contains([]string{"aws_iam_role_policy", "aws_lambda_alias", "aws_glue_catalog_table",
			"aws_cloudwatch_log_stream"}, r.Type): // unique within their role, function, database, group
		default:
			found = append(found, value)
		}
	}
	return found
}

// mustCount counts what the server holds, by service and collection.
func mustCount(t *testing.T, moto *terraform.Moto) map[string]int {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	data, err := moto.Held(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	if err := json.Unmarshal(data, &count); err != nil {
		t.Fatal(err)
	}
	return count
}

func sum(count map[string]int) (n int) {
	for _, k := range count {
		n += k
	}
	return n
}

// otherVariables are those that no tag in internal/ names.
func otherVariables() map[string]string {
	return map[string]string{
		"PGUSER":     "pgx takes from it what PGVECTOR_DSN lacks",
		"PGPASSWORD": "likewise",
		"TMPDIR":     "Go's own",
	}
}

// checkEnvironment compares the variables of functions and tasks with those that the code reads.
func checkEnvironment(t *testing.T, w *terraform.Workspace, resources map[string]terraform.Resource) {
	tag, read := regexp.MustCompile(`env:"([A-Z_]+)"`), map[string]bool{}
	err := filepath.WalkDir(filepath.Join(w.Repository, "internal"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		code, err := os.ReadFile(path)
		for _, found := range tag.FindAllStringSubmatch(string(code), -1) {
			read[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range resources {
		switch r.Type {
		case "aws_lambda_function":
			blocks, _ := r.Values["environment"].([]any)
			for _, b := range blocks {
				variables, _ := b.(map[string]any)["variables"].(map[string]any)
				for name := range variables {
					seen[name] = true
				}
			}
		case "aws_ecs_task_definition":
			var containers []struct{ Environment, Secrets []struct{ Name string } }
			text, _ := r.Values["container_definitions"].(string)
			if err := json.Unmarshal([]byte(text), &containers); err != nil {
				t.Fatal(err)
			}
			for _, c := range containers {
				for _, v := range slices.Concat(c.Environment, c.Secrets) {
					seen[v.Name] = true
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("only %d variables are set", len(seen))
	}
	for name := range seen {
		if !read[name] && otherVariables()[name] == "" {
			t.Errorf("%s is set, but no program reads it", name)
		}
	}
	for name := range otherVariables() {
		if !seen[name] || read[name] {
			t.Errorf("%s is listed for nothing", name)
		}
	}
}
