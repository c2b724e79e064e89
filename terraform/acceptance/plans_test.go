package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kindred/terraform/tf/promotion"
)

// variant is a root with one set of variables.
type variant struct {
	name    string
	folder  string // aws or local
	account string
	region  string
	vars    map[string]any
}

// planner plans the variants of one root, each on what the one before has left.
type planner struct {
	root  *promotion.Root
	state string // file
}

// mustPlanner prepares a root that was never applied. No server is needed.
func mustPlanner(t *testing.T, w *promotion.Workspace, v variant) planner {
	t.Helper()
	p := planner{w.Root(v.folder, "static-rules-"+v.name, promotion.Emulator(noAWS(t, v.account), v.region)...),
		filepath.Join(t.TempDir(), "terraform.tfstate")}
	p.root.Dir = mustCopy(t, w.Repository, v.folder)
	if err := p.root.Init(t.Context(), "-backend-config=path="+p.state); err != nil {
		t.Fatal(err)
	}
	return p
}

// mustKnownPlan returns `terraform show -json` of a variant's plan with all values known, so that rules
// can read whole policies. A first plan leaves open what AWS chooses (ids, ARNs, addresses). The test
// invents these values in the form that AWS gives them, writes them to the state, and plans again.
func (p planner) mustKnownPlan(t *testing.T, v variant) []byte {
	t.Helper()
	file, plan := mustVariables(t, v.vars), filepath.Join(t.TempDir(), "plan")
	before := -1
	for pass := range mostPasses {
		if _, err := p.root.Run(t.Context(), "plan", "-refresh=false", "-input=false", "-no-color", "-var-file="+file,
			"-out="+plan); err != nil {
			t.Fatal(err)
		}
		shown, err := p.root.Run(t.Context(), "show", "-json", plan)
		if err != nil {
			t.Fatal(err)
		}
		state, open, err := inventState(shown, v.account, v.region)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, plan %d: %d open", v.name, pass+1, open)
		if open == 0 || open == before { // nothing more becomes known
			return shown
		}
		before = open
		if err := os.WriteFile(p.state, state, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s: values are still open after %d plans", v.name, mostPasses)
	return nil
}

// mostPasses is more than the longest chain of resources that refer to each other.
const mostPasses = 8

// planned is what inventState reads of a plan.
type planned struct {
	Version string `json:"terraform_version"`
	Values  struct {
		Root plannedModule `json:"root_module"`
	} `json:"planned_values"`
	Changes []struct {
		Address string `json:"address"`
		Type    string `json:"type"`
		Change  struct {
			Actions []string       `json:"actions"`
			Unknown map[string]any `json:"after_unknown"`
		} `json:"change"`
	} `json:"resource_changes"`
}

type plannedModule struct {
	Address   string            `json:"address"`
	Resources []plannedResource `json:"resources"`
	Children  []plannedModule   `json:"child_modules"`
}

type plannedResource struct {
	Address  string         `json:"address"`
	Mode     string         `json:"mode"`
	Type     string         `json:"type"`
	Name     string         `json:"name"`
	Index    any            `json:"index"`
	Provider string         `json:"provider_name"`
	Schema   int            `json:"schema_version"`
	Values   map[string]any `json:"values"`
	Secret   map[string]any `json:"sensitive_values"` // true for an attribute that is shown to nobody
}

// stateResource is a resource of a state file, version 4.
type stateResource struct {
	Module    string          `json:"module,omitempty"`
	Mode      string          `json:"mode"`
	Type      string          `json:"type"`
	Name      string          `json:"name"`
	Provider  string          `json:"provider"`
	Instances []stateInstance `json:"instances"`
}

type stateInstance struct {
	Index      any            `json:"index_key,omitempty"`
	Schema     int            `json:"schema_version"`
	Attributes map[string]any `json:"attributes"`
	Sensitive  [][]pathStep   `json:"sensitive_attributes"`
}

// pathStep is a step of the path to an attribute.
type pathStep struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// isGroupRule says that a resource is a rule of a security group. Nothing refers to one, and the provider
// cannot plan on one without a refresh, so that no state has them.
func isGroupRule(kind string) bool { return strings.HasPrefix(kind, "aws_vpc_security_group_") }

// inventState writes the state that an apply of the plan could have left. open counts the resources and
// the data that the plan would still create, replace or read: what they give is not known yet.
func inventState(plan []byte, account, region string) (state []byte, open int, err error) {
	var p planned
	if err := json.Unmarshal(plan, &p); err != nil {
		return nil, 0, fmt.Errorf("read plan: %w", err)
	}
	i, unknown := invention{account: account, region: region}, map[string]map[string]any{}
	for _, c := range p.Changes {
		unknown[c.Address] = c.Change.Unknown
		made := slices.ContainsFunc(c.Change.Actions, func(action string) bool {
			return action != "no-op" &&
				action != "update"
		})
		if made && !isGroupRule(c.Type) {
			open++
		}
	}
	byAddress := map[string]*stateResource{}
	var walk func(plannedModule)
	walk = func(m plannedModule) {
		for _, r := range m.Resources {
			if r.Mode != "managed" || isGroupRule(r.Type) {
				continue
			}
			key := m.Address + "|" + r.Type + "." + r.Name
			if byAddress[key] == nil {
				byAddress[key] = &stateResource{Module: m.Address, Mode: r.Mode, Type: r.Type, Name: r.Name,
					Provider: fmt.Sprintf("provider[%q]", r.Provider)}
			}
			values := fill(r.Values, unknown[r.Address], func(name string) any {
				return i.value(r, name)
			})
			secret := [][]pathStep{}
			for name, is := range r.Secret {
				if is == true {
					secret = append(secret, []pathStep{{"get_attr", name}})
				}
			}
			byAddress[key].Instances = append(byAddress[key].Instances,
				stateInstance{Index: r.Index, Schema: r.Schema, Attributes: values, Sensitive: secret})
		}
		for _, c := range m.Children {
			walk(c)
		}
	}
	walk(p.Values.Root)
	var resources []*stateResource
	for _, key := range slices.Sorted(maps.Keys(byAddress)) {
		resources = append(resources, byAddress[key])
	}
	state, err = json.Marshal(map[string]any{"version": 4, "terraform_version": p.Version, "serial": 1,
		"lineage": "00000000-0000-0000-0000-000000000000", "resources": resources, "outputs": map[string]any{}})
	return state, open, err
}

// fill returns values with the unknown ones invented, in nested blocks too.
func fill(values, unknown map[string]any, invent func(name string) any) map[string]any {
	filled := maps.Clone(values)
	if filled == nil {
		filled = map[string]any{}
	}
	for name, is := range unknown {
		switch is := is.(type) {
		case bool:
			if value := invent(name); is && value != nil {
				filled[name] = value
			}
		case []any:
			blocks, _ := filled[name].([]any)
			blocks = slices.Clone(blocks)
			for at := range min(len(blocks), len(is)) {
				block, isBlock := blocks[at].(map[string]any)
				open, hasOpen := is[at].(map[string]any)
				if isBlock && hasOpen {
					blocks[at] = fill(block, open, invent)
				}
			}
			if blocks != nil {
				filled[name] = blocks
			}
		}
	}
	return filled
}

// invention invents values in one account and region.
type invention struct{ account, region string }

var notInName = regexp.MustCompile(`[^A-Za-z0-9-]+`)

func (i invention) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + i.region + ":" + i.account + ":" + resource
}

// arns are the ARNs of a resource of each type, with that name.
func (i invention) arns(name, unique string, text func(attribute string) string) map[string]string {
	account, region := i.account, i.region
	arn := i.arn
	return map[string]string{
		"aws_kms_key": arn("kms", "key/key"), "aws_s3_bucket": "arn:aws:s3:::" + name,
		"aws_iam_role":   "arn:aws:iam::" + account + ":role/" + name,
		"aws_iam_policy": "arn:aws:iam::" + account + ":policy/" + name,
		"aws_iam_openid_connect_provider": "arn:aws:iam::" + account + ":oidc-provider/" +
			strings.TrimPrefix(text("url"), "https://"),
		"aws_kms_alias":                        arn("kms", name),
		"aws_lambda_function":                  arn("lambda", "function:"+name),
		"aws_lambda_alias":                     arn("lambda", "function:"+text("function_name")+":"+name),
		"aws_kinesis_stream":                   arn("kinesis", "stream/"+name),
		"aws_kinesis_firehose_delivery_stream": arn("firehose", "deliverystream/"+name),
		"aws_cloudwatch_log_group":             arn("logs", "log-group:"+name),
		"aws_sns_topic":                        arn("sns", name), "aws_ecs_cluster": arn("ecs", "cluster/"+name),
		"aws_ecs_task_definition": arn("ecs", "task-definition/"+name+":1"),
		"aws_ecr_repository":      arn("ecr", "repository/"+name), "aws_db_instance": arn("rds", "db:"+name),
		"aws_sfn_state_machine": arn("states", "stateMachine:"+name), "aws_glue_job": arn("glue", "job/"+name),
		"aws_glue_connection": arn("glue", "connection/"+name), "aws_secretsmanager_secret": arn("secretsmanager",
			"secret:"+name+"-AbCdEf"),
		"aws_security_group": arn("ec2", "security-group/sg-"+unique),
		"aws_api_gateway_stage": "arn:aws:apigateway:" + region + "::/restapis/" + text("rest_api_id") + "/stages/" +
			text("stage_name"),
		"aws_wafv2_web_acl": arn("wafv2", "regional/webacl/"+name+"/"+unique),
	}
}

// value returns a value for an attribute that AWS chooses, or nil where none is needed. There is one key
// and one network, so what refers to them is known at once.
func (i invention) value(r plannedResource, attribute string) any {
	account, region := i.account, i.region
	sum := sha256.Sum256([]byte(r.Address))
	unique := hex.EncodeToString(sum[:])[:17]
	text := func(name string) string { value, _ := r.Values[name].(string); return value }
	name := ""
	for _, candidate := range []string{"name", "bucket", "identifier", "family", "function_name", "alarm_name",
		"topic_arn"} {
		if name = text(candidate); name != "" {
			break
		}
	}
	if name == "" {
		name = strings.Trim(notInName.ReplaceAllString(r.Address, "-"), "-")
	}
	arn, arns := i.arn, i.arns(name, unique, text)
	if r.Type == "aws_s3_bucket_server_side_encryption_configuration" &&
		strings.Contains(fmt.Sprint(r.Values["rule"]), "AES256") {
		return nil // such a bucket has no key
	}
	switch attribute {
	case "tags_all": // without tags of the provider there are none
		return map[string]any{}
	case "kms_key_id", "kms_key_arn", "kms_key", "kms_master_key_id", "key_arn", "master_user_secret_kms_key_id",
		"performance_insights_kms_key_id", "aws_kms_key_id", "sse_aws_kms_key_id":
		return arn("kms", "key/key")
	case "vpc_id":
		return "vpc-1"
	case "arn":
		if arns[r.Type] != "" {
			return arns[r.Type]
		}
		return arn(strings.SplitN(strings.TrimPrefix(r.Type, "aws_"), "_", 2)[0], r.Type+"/"+name)
	case "id", "root_resource_id":
		switch r.Type {
		case "aws_s3_bucket", "aws_iam_role", "aws_cloudwatch_log_group", "aws_db_subnet_group",
			"aws_db_parameter_group", "aws_lambda_function":
			return name
		case "aws_sns_topic", "aws_ecs_cluster", "aws_sfn_state_machine", "aws_kinesis_stream",
			"aws_kinesis_firehose_delivery_stream":
			return arns[r.Type]
		case "aws_security_group":
			return "sg-" + unique
		case "aws_vpc":
			return "vpc-1"
		case "aws_subnet":
			return "subnet-" + unique
		case "aws_glue_catalog_database", "aws_glue_connection":
			return account + ":" + name
		}
		return "id-" + unique
	case "execution_arn": // of a REST API, whose id is in it
		return arn("execute-api", "id-"+unique)
	case "arn_without_revision":
		return arn("ecs", "task-definition/"+name)
	case "qualified_arn":
		return arns[r.Type] + ":1"
	case "version":
		return "1"
	case "revision":
		return 1
	case "key_id", "target_key_id":
		return "key"
	case "repository_url":
		return account + ".dkr.ecr." + region + ".amazonaws.com/" + name
	case "address":
		return name + ".abcdefghijkl." + region + ".rds.amazonaws.com"
	case "port":
		return map[string]int{"mysql": 3306, "postgres": 5432}[text("engine")]
	case "resource_id":
		return "db-" + strings.ToUpper(unique)
	case "master_user_secret":
		return []any{map[string]any{"secret_arn": arn("secretsmanager", "secret:rds!db-"+unique+"-AbCdEf"),
			"secret_status": "active", "kms_key_id": r.Values["master_user_secret_kms_key_id"]}}
	case "prefix_list_id":
		return "pl-" + unique[:8]
	case "function_url":
		return "https://" + unique + ".lambda-url." + region + ".on.aws/"
	}
	return nil
}
