package acceptance

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kindred/terraform/tf/promotion"
)

// call is one kind of AWS call that a program made, recorded by TestCalls. Resource is relative:
// "lake/training-set/" is a key's folder in the bucket of that role.
type call struct {
	Program  string `json:"program"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
}

// callsFile is the record of TestCalls.
const callsFile = "testdata/calls.json"

func mustCalls(t *testing.T) []call {
	t.Helper()
	data, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	if err := json.Unmarshal(data, &calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

type statement struct {
	Sid       string
	Effect    string
	Action    list
	Resource  list
	Condition map[string]map[string]list
}

// list is a JSON string or list of strings.
type list []string

// UnmarshalJSON accepts both.
func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// platform returns the statements that only AWS's services use, on behalf of the role. The program
// must have called everything else that its role allows.
func platform() map[string]string {
	return map[string]string{
		"recommend ReadStream":                     "the event source mapping reads the stream",
		"recommend FailedBatchesBucket":            "the event source mapping looks for its OnFailure bucket",
		"recommend KeepQuarantineAndFailedBatches": "aws/lambda/: the event source mapping writes failed batches",
		"recommend Logs":                           "Lambda writes the log",
		"recommend UseKey":                         "S3, Kinesis and the function's environment are encrypted",
		"recommend VectorDatabaseByIAM":            "PostgreSQL asks IAM",
		"recommend Tracing":                        "Lambda sends traces",
		"recommend AttachToVpc":                    "Lambda attaches the function to the network",
		"serve Logs":                               "Lambda writes the log",
		"serve VectorDatabaseByIAM":                "PostgreSQL asks IAM",
		"serve UseKey":                             "S3 is encrypted",
		"serve UseStreamKey":                       "Kinesis is encrypted",
		"serve Tracing":                            "Lambda sends traces",
		"serve AttachToVpc":                        "Lambda attaches the function to the network",
		"erase KeepOthersRecords":                  "no object of the recorded run has records of several persons",
		"erase UseKey":                             "S3 and the secret are encrypted",
		"etl ReadMapping":                          "the recorded shop has no mapping file",
		"etl UseKey":                               "S3 is encrypted",
		"train ReadClicks":                         "the recorded run does not train sessions",
		"train UseKey":                             "S3 is encrypted",
		"train-spark ReadCode":                     "Glue reads the launcher and the program",
		"train-spark DeleteFits":                   "Spark deletes its temporary files, and train old exports",
		"train-spark UseKey":                       "S3 and the logs are encrypted",
		"train-spark Logs":                         "Glue writes the log",
		"train-spark Metrics":                      "Glue writes its metrics",
		"publish UseKey":                           "S3 is encrypted",
		"rollup UseKey":                            "S3 is encrypted",
		"rollup SweepRollup":                       "a roll-up is deleted when it is a day old",
		"verify UseKey":                            "S3 and Kinesis are encrypted",
	}
}

// checkPolicies compares the applied roles with the recorded calls. A role must allow each call on its
// resource. The program must have called everything that its role allows, except for the statements
// of platform.
func checkPolicies(t *testing.T, w *promotion.Workspace, resources map[string]promotion.Resource) {
	policies := map[string][]statement{}
	for _, r := range resources {
		if r.Type != "aws_iam_role_policy" {
			continue
		}
		var document struct{ Statement []statement }
		text, _ := r.Values["policy"].(string)
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		role, _ := r.Values["role"].(string)
		policies[role] = append(policies[role], document.Statement...)
	}
	calls := mustCalls(t)
	used := map[string]bool{}
	for _, c := range calls {
		allowed, arn := false, arn(c, resources)
		for _, s := range policies["kindred-dev-"+c.Program] {
			for _, resource := range s.Resource {
				if s.Effect == "Allow" && slices.Contains(s.Action, c.Action) && matches(resource, arn) {
					allowed = true
					used[c.Program+" "+s.Sid+" "+c.Action+" "+resource] = true
				}
			}
		}
		if !allowed {
			t.Errorf("%s calls %s on %s, and its role does not allow it", c.Program, c.Action, arn)
		}
	}
	listed := map[string]bool{}
	for _, program := range []string{"erase", "etl", "train", "train-spark", "publish", "recommend", "rollup",
		"serve", "verify"} {
		if len(policies["kindred-dev-"+program]) == 0 {
			t.Errorf("role of %s: no policy", program)
		}
		for _, s := range policies["kindred-dev-"+program] {
			if s.Effect != "Allow" {
				continue
			}
			if platform()[program+" "+s.Sid] != "" {
				listed[program+" "+s.Sid] = true
				continue
			}
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					if !used[program+" "+s.Sid+" "+action+" "+resource] {
						t.Errorf("role of %s, %s: allows %s on %s, which the program does not call", program, s.Sid, action, resource)
					}
				}
			}
		}
	}
	for name := range platform() {
		if !listed[name] {
			t.Errorf("%q is listed, but no role has it", name)
		}
	}
	for role, statements := range policies {
		for _, s := range statements {
			for _, action := range s.Action {
				if s.Effect == "Allow" && strings.Contains(action, "*") {
					t.Errorf("role %s, %s: action %s is not an exact name", role, s.Sid, action)
				}
			}
		}
	}
	data, err := json.MarshalIndent(policies, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.State, "policies.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// arn returns the resource of a call in the environment dev.
func arn(c call, resources map[string]promotion.Resource) string {
	service, _, _ := strings.Cut(c.Action, ":")
	switch service {
	case "s3":
		role, key, _ := strings.Cut(c.Resource, "/")
		bucket := "arn:aws:s3:::kindred-dev-" + awsAccount + "-" + role
		if key == "" {
			return bucket
		}
		if strings.HasSuffix(key, "/") {
			key = strings.ReplaceAll(key, "run=/", "run=any/") + "any"
		}
		return bucket + "/" + key
	case "secretsmanager":
		if c.Resource == "erased persons" {
			arn, _ := resources["module.erase.aws_secretsmanager_secret.this"].Values["arn"].(string)
			return arn
		}
		return secretOf(resources["module.source_database[0].aws_db_instance.this"])
	case "firehose":
		return "arn:aws:firehose:" + awsRegion + ":" + awsAccount + ":deliverystream/kindred-dev-" + c.Resource
	case "kinesis":
		return "arn:aws:kinesis:" + awsRegion + ":" + awsAccount + ":stream/kindred-dev-" + c.Resource
	}
	return c.Resource
}

// secretOf returns the ARN of the secret in which RDS keeps the password. RDS chooses its name.
func secretOf(database promotion.Resource) string {
	secrets, _ := database.Values["master_user_secret"].([]any)
	if len(secrets) == 0 {
		return "no secret"
	}
	secret, _ := secrets[0].(map[string]any)
	arn, _ := secret["secret_arn"].(string)
	return arn
}

// matches reports whether a resource of a policy, which may contain *, matches an ARN.
func matches(pattern, arn string) bool {
	// * crosses slashes in a policy
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(arn, "/", "|"))
	return err == nil && ok
}
