package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
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
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/terraform/tf/promotion"
)

const (
	awsRegion   = "eu-west-1"
	awsAccount  = "123456789012" // moto's
	stateBucket = "kindred-state"
)

// TestAWSRootOnMoto promotes the whole of terraform/aws to a patched moto server, with its state in
// S3. The second plan is empty. Neither state nor logs contain a secret. The roles allow what the
// programs call and nothing more. A second environment shares no name. The lock refuses a second
// apply at the same time. A promotion whose smoke test fails is rolled back. Destroy leaves nothing.
// It is one test, because each step builds on the one before and the whole takes minutes.
func TestAWSRootOnMoto(t *testing.T) {
	w := mustOpen(t)
	moto := mustMoto(t, w)
	cfg := aws.Config{Region: awsRegion, BaseEndpoint: &moto.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	_, err := awsclient.S3(cfg).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(stateBucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awsRegion}})
	if err != nil {
		t.Fatal(err)
	}
	before := mustCount(t, moto)

	dev := newEnvironment(t, w, moto, "dev")
	step := time.Now()
	registry := mustRegistry(t)
	mapping := filepath.Join(w.Repository, "testdata", "order-mapping", "shop.sql")
	shops := []string{"books", "toys"} // they share the stream
	dev.set(t, map[string]any{"shop": map[string]any{"name": "books", "mapping_path": mapping}, "stream_shops": shops})
	first := dev.promotion(cfg, registry, "dev\n")
	var smoked []string
	first.Smoke = func(_ context.Context, env []string) error { smoked = env; return nil }
	changes, err := first.Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, first.Out)
	}
	resources, err := promotion.Resources(dev.mustRun(t, "show", "-json"))
	if err != nil {
		t.Fatal(err)
	}
	managed := countManaged(resources)
	t.Logf("first promotion: %d changes, %d resources, %v", len(changes), managed, time.Since(step).Round(time.Second))
	registry.wantImage(t, dev.tag)
	for _, want := range []string{"AWS_REGION=" + awsRegion, "ACTIVITY_STREAM=kindred-dev-activity",
		"SERVE_FUNCTION=kindred-dev-serve:live", "SHOP_NAME=books", "ACTIVITY_STREAM_SHOPS=books,toys"} {
		if !slices.Contains(smoked, want) {
			t.Errorf("the smoke test's variables lack %s: %v", want, smoked)
		}
	}

	if held := mustCount(t, moto); sum(held)-sum(before) < managed/4 {
		t.Errorf("the server counts %d things for %d resources: the last check would see nothing",
			sum(held)-sum(before), managed)
	}

	t.Run("etl reads the promoted mapping file", func(t *testing.T) { checkMapping(t, cfg, dev, mustRead(t, mapping)) })
	dev.set(t, map[string]any{"shop": map[string]any{"name": "books", "preset": "magento2", "store": "2",
		"live_version": "x"}, "stream_shops": shops})
	t.Run("a promoted preset takes its place", func(t *testing.T) { checkPreset(t, cfg, dev, registry) })
	t.Run("the second plan is empty", func(t *testing.T) {
		for _, c := range dev.mustPlan(t) {
			t.Errorf("it would %s", c)
		}
	})
	t.Run("no secret in state, outputs or logs", func(t *testing.T) {
		checkSecrets(t, cfg, dev, resources, fmt.Sprint(first.Out), string(mustRead(t, moto.log)))
	})
	t.Run("the lock refuses a second apply", func(t *testing.T) { checkLock(t, cfg, w, moto, dev) })
	t.Run("the programs know their variables", func(t *testing.T) { checkEnvironment(t, w, resources) })
	t.Run("policies", func(t *testing.T) { checkPolicies(t, w, resources) })
	t.Run("a second environment shares no name", func(t *testing.T) {
		stage := newEnvironment(t, w, moto, "stage")
		checkNames(t, resources, stage.mustPlanned(t))
		stage.set(t, map[string]any{"shop": map[string]any{"name": "toys"}, "stream_shops": shops,
			"existing_stream": sharedStream(t, resources)})
		checkShared(t, resources, stage.mustPlanned(t))
	})

	t.Run("a promotion whose smoke test fails is rolled back", func(t *testing.T) {
		checkRolledBack(t, cfg, dev, registry)
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

// countManaged is how many of the resources Terraform creates, without the data that it only reads.
func countManaged(resources map[string]promotion.Resource) (n int) {
	for _, r := range resources {
		if r.Mode == "managed" {
			n++
		}
	}
	return n
}

// leftovers are what a destroy may leave, with the reason.
func leftovers() map[string]string {
	return map[string]string{
		"kms keys":                              "AWS deletes a key 7 days later, so that a mistake is not final",
		"ecs task_definitions":                  "ECS keeps what it ran, as inactive",
		"ecs clusters":                          "ECS keeps what it ran, as inactive",
		"ec2 vpc_end_points":                    "moto keeps them, as deleted",
		"ec2 groups":                            "moto keeps the default group's place of a deleted network",
		"ec2 network_acls":                      "moto keeps a deleted network's default list; it was not made here",
		"ec2 tags":                              "moto keeps tags of what is gone",
		"rds events":                            "a history",
		"ecs tasks":                             "ECS keeps what it ran for an hour",
		"ec2 enis":                              "moto keeps the interface of a task that ended",
		"glue data_catalog_encryption_settings": "an account's setting, put back to unencrypted, not deleted",
	}
}

// environment is terraform/aws with one environment's values and state.
type environment struct {
	root                                  *promotion.Root
	name, file, vars, plan, packages, tag string
}

// promotion is what `make promote` runs, with packages of the test's own.
func (e environment) promotion(cfg aws.Config, registry *registry, typed string) *promotion.Promotion {
	return &promotion.Promotion{Root: e.root, AWS: cfg, Environment: e.name, Account: awsAccount, Vars: e.file,
		Packages: e.packages, Tag: e.tag,
		Registry: registry, Probe: 10 * time.Millisecond, Watch: 30 * time.Millisecond,
		Ask:   func(context.Context, string, string, string) error { return nil },
		Alert: func(context.Context, string) error { return nil }, // moto has no history of alarms
		Mails: []string{"shop@example.com"},
		In:    strings.NewReader(typed), Out: &bytes.Buffer{}}
}

func newEnvironment(t *testing.T, w *promotion.Workspace, m moto, name string) environment {
	t.Helper()
	packages := mustPackages(t)
	e := environment{root: w.Root("aws", "moto-"+name, promotion.Emulator(m.endpoint, awsRegion)...), name: name,
		plan: filepath.Join(t.TempDir(), "plan"), packages: packages, tag: imageTag}
	e.set(t, nil)
	if err := e.root.Init(t.Context(), "-backend-config=bucket="+stateBucket, "-backend-config=key="+name+".tfstate",
		"-backend-config=region="+awsRegion, "-backend-config=use_path_style=true"); err != nil {
		t.Fatal(err)
	}
	return e
}

// set writes the environment's variables, and these besides, to a file that stays until the end of t. Browsers may
// call dev.
func (e *environment) set(t *testing.T, more map[string]any) {
	t.Helper()
	vars := variables(e.name, e.packages)
	if e.name == "dev" {
		vars["front"], vars["site_keys"] = map[string]any{}, pageKeys
	}
	maps.Copy(vars, more)
	e.file = mustVariables(t, vars)
	e.vars = "-var-file=" + e.file
}

// imageTag is the tag of the image in every environment.
const imageTag = "0123456789ab"

// variables are the values of terraform/aws for an environment.
func variables(environment, packages string) map[string]any {
	return map[string]any{
		"environment": environment, "account_id": awsAccount, "region": awsRegion,
		"package_dir": packages, "image_tag": imageTag,
		"protect": false, "spark": map[string]any{"most_hours": 1}, "max_retries": 2,
		"alarm_emails":         []string{"shop@example.com"},
		"own_account_settings": environment == "dev",
		"serve_callers":        []string{"arn:aws:iam::" + awsAccount + ":role/shop"},
		"serve_events":         true,
		"feedback":             map[string]any{},
		"operators":            []string{"arn:aws:iam::" + awsAccount + ":role/operator"},
	}
}

func (e environment) mustRun(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := e.root.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (e environment) mustPlan(t *testing.T) []promotion.Change {
	t.Helper()
	e.mustRun(t, "plan", "-input=false", "-no-color", e.vars, "-out="+e.plan)
	changes, err := promotion.Changes(e.mustRun(t, "show", "-json", e.plan))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// mustPlanned returns the resources as they would be after the plan.
func (e environment) mustPlanned(t *testing.T) map[string]promotion.Resource {
	t.Helper()
	e.mustRun(t, "plan", "-input=false", "-no-color", e.vars, "-out="+e.plan)
	resources, err := promotion.Planned(e.mustRun(t, "show", "-json", e.plan))
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

// mustPackages writes the files of `make package`, with empty programs, because moto does not run them.
func mustPackages(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "glue"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"glue/launcher.py", "glue/etl", "glue/als.py", "glue/train", "glue/rds-ca.pem"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustFunctions(t, folder, "first")
	image, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(folder, "image.tar"), nil, image); err != nil {
		t.Fatal(err)
	}
	return folder
}

// mustFunctions writes the functions' zips. Another text gives other content.
func mustFunctions(t *testing.T, folder, text string) {
	t.Helper()
	zip, err := artifact.Pack([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"recommend.zip", "serve.zip"} {
		if err := os.WriteFile(filepath.Join(folder, name), zip, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// checkSecrets reads every secret that the server created, and looks for it in the state as it is in
// S3, in the outputs and in logs. Attributes for secrets must be empty.
func checkSecrets(t *testing.T, cfg aws.Config, e environment, resources map[string]promotion.Resource,
	logs ...string) {
	state := string(e.mustRun(t, "state", "pull")) + string(e.mustRun(t, "output", "-json")) + strings.Join(logs, "")
	secrets := secretsmanager.NewFromConfig(cfg)
	list, err := secrets.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.SecretList) < 3 {
		t.Errorf("%d secrets exist, want one per database, and that of the erased persons", len(list.SecretList))
	}
	for _, s := range list.SecretList {
		value, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: s.ARN})
		if err != nil {
			t.Fatal(err)
		}
		password := aws.ToString(value.SecretString)
		if aws.ToString(s.Name) != "kindred-dev-erase" {
			var parts map[string]any
			if err := json.Unmarshal([]byte(password), &parts); err != nil {
				t.Fatalf("secret %s is no JSON object", aws.ToString(s.Name))
			}
			password, _ = parts["password"].(string)
		}
		if password == "" || strings.Contains(state, password) {
			t.Errorf("state, outputs or logs contain the password of %s, or it has none", aws.ToString(s.Name))
		}
	}
	forSecrets := regexp.MustCompile(
		`(?i)(^|_)(password|secret_string|secret_binary|token|private_key|access_key|secret_key)$`)
	for address, r := range resources {
		for name, value := range r.Values {
			// lock_token of a web ACL is its version, for a compare-and-swap.
			if text, _ := value.(string); text != "" && forSecrets.MatchString(name) && name != "lock_token" {
				t.Errorf("%s.%s is set in the state", address, name)
			}
		}
	}
	if dsn := regexp.MustCompile(`://[^:/@"]+:[^@/"]+@`).FindString(state); dsn != "" {
		t.Errorf("the state contains a user and a password in an address (%d characters)", len(dsn))
	}
}

// checkNames fails if two resources of the environments have the same name: AWS would refuse the
// second, or worse, share it.
func checkNames(t *testing.T, first, second map[string]promotion.Resource) {
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

const (
	activityStream = "module.stream.aws_kinesis_stream.activity[0]"
	activitySource = "module.recommend.aws_lambda_event_source_mapping.activity"
)

// sharedStream is the stream of these resources, as another environment's variables name it.
func sharedStream(t *testing.T, of map[string]promotion.Resource) map[string]any {
	t.Helper()
	stream, found := of[activityStream]
	if !found {
		t.Fatalf("there is no %s", activityStream)
	}
	return map[string]any{"name": stream.Values["name"], "arn": stream.Values["arn"],
		"kms_key_arn": stream.Values["kms_key_id"]}
}

// checkShared checks that the second environment reads the first one's stream, and makes none.
func checkShared(t *testing.T, first, second map[string]promotion.Resource) {
	if _, made := second[activityStream]; made {
		t.Error("an environment that shares a stream makes one too")
	}
	if arn := second[activitySource].Values["event_source_arn"]; arn != first[activityStream].Values["arn"] {
		t.Errorf("the function reads %v", arn)
	}
}

// names returns the attributes that must be unique in an account or among all accounts.
func names(r promotion.Resource) []string {
	var found []string
	for _, attribute := range []string{"bucket", "name", "identifier", "function_name", "family", "alarm_name",
		"dashboard_name"} {
		value, _ := r.Values[attribute].(string)
		switch {
		case value == "":
		case attribute == "family" && r.Type != "aws_ecs_task_definition": // the engine's, not a name
		case attribute == "name" && slices.Contains([]string{"aws_iam_role_policy", "aws_lambda_alias",
			"aws_glue_catalog_table",
			"aws_cloudwatch_log_stream"}, r.Type): // unique within their role, function, database, group
		default:
			found = append(found, value)
		}
	}
	return found
}

func sum(count map[string]int) (n int) {
	for _, k := range count {
		n += k
	}
	return n
}

// otherVariables are the variables that no struct tag in internal/ names.
func otherVariables() map[string]string {
	return map[string]string{
		"PGUSER":        "pgx reads it, because PGVECTOR_DSN contains no user",
		"PGPASSWORD":    "pgx reads it, because PGVECTOR_DSN contains no password",
		"TMPDIR":        "Go itself reads it",
		"SSL_CERT_FILE": "crypto/x509 reads it, for RDS's authorities",
		"SSL_CERT_DIR":  "crypto/x509 reads it, for the image's authorities",
	}
}

// checkEnvironment compares the variables of functions and tasks with those that the code reads.
func checkEnvironment(t *testing.T, w *promotion.Workspace, resources map[string]promotion.Resource) {
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
