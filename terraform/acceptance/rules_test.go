package acceptance

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"kindred/terraform/rules"
	"kindred/terraform/tf/promotion"
)

// variants are the environments that the rules read: with and without an existing shop, small and large
// databases, protected and not, with and without the options, two environments, two regions, and a new
// account, which can reserve no concurrency.
func variants(packages string) []variant {
	aws := func(name, environment, region string, more map[string]any) variant {
		vars := variables(environment, packages)
		vars["region"] = region
		maps.Copy(vars, more)
		return variant{name, "aws", awsAccount, region, vars}
	}
	shop := map[string]any{"host": "shop.abcdefghijkl.eu-west-1.rds.amazonaws.com", "name": "shop", "cidr": "10.9.0.0/24",
		"secret_arn": "arn:aws:secretsmanager:eu-west-1:" + awsAccount + ":secret:shop-AbCdEf"}
	return []variant{
		aws("every option", "dev", awsRegion, map[string]any{"catalogue_minutes": 5, "own_account_settings": true,
			"front": map[string]any{}, "site_keys": pageKeys, "etl_workers": 2, "budget_usd": 200,
			"permissions_boundary": "arn:aws:iam::" + awsAccount + ":policy/boundary", "ci": map[string]any{
				"provider": "create", "subjects": []string{"repo:org/shop:environment:dev"}, "state_bucket": "states"},
			"tunnel": map[string]any{}}),
		aws("existing shop", "dev", awsRegion, map[string]any{"existing_source_database": shop, "protect": true,
			"vector_instance_class": "db.r8g.large", "stream": map[string]any{"shard_count": 2, "retention_hours": 48},
			"spark": nil, "operators": []string{}, "serve_callers": []string{}, "serve_events": false}),
		aws("small", "dev", awsRegion, map[string]any{"profile": "small", "protect": true, "spark": nil,
			"catalogue_minutes": 5, "serve_events": false, "tunnel": map[string]any{}}),
		aws("another region", "prod", "us-east-1", map[string]any{"profile": "large", "region_in_names": true,
			"zones": []string{"a", "b", "c"}, "protect": true,
			"function_architecture": "x86_64", "function_concurrency": -1, "source_instance_class": "db.m8g.large"}),
	}
}

// pageKeys are keys as serve takes them.
const pageKeys = `{"keys":[{"publishable":"pk_0123456789abcdef","scopes":["events"],"origins":["https://shop.example"]}]}`

// localVariant is the local root.
func localVariant(packages string) variant {
	zips := map[string]string{"recommend": filepath.Join(packages, "recommend.zip"), "serve": filepath.Join(packages,
		"serve.zip")}
	return variant{"local", "local", "000000000000", awsRegion, map[string]any{"endpoint": "http://127.0.0.1:4566",
		"pgvector_dsn":        "postgres://reader:local@127.0.0.1:5432/kindred",
		"pgvector_writer_dsn": "postgres://writer:local@127.0.0.1:5432/kindred",
		"function_zips":       zips, "shop_login": map[string]string{"username": "shop", "password": "local"},
		"host_architecture": "x86_64"}}
}

// notLocal are the rules that the local root need not follow, with the reason.
func notLocal() map[string]string {
	return map[string]string{
		"mapping-calls-alias": "LocalStack's functions have no alias: the newest code answers",
		"lambda-url-auth":     "LocalStack checks no signature",
		"s3-lifecycle":        "lifecycle rules take LocalStack a minute, and the data is a developer's",
	}
}

// TestStaticRules plans every variant, and applies the rules to the plans. A rule that looks at nothing in
// all of them would pass for ever, and fails.
func TestStaticRules(t *testing.T) {
	t.Parallel()
	w := mustOpen(t)
	packages := mustPackages(t)
	for _, name := range []string{"recommend-x86_64.zip", "serve-x86_64.zip"} {
		if err := os.WriteFile(filepath.Join(packages, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	apply := func(v variant, shown []byte, except map[string]string) {
		plan, err := rules.Read(shown, v.region)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range mustCalls(t) {
			if events := c.Program == "serve" && c.Action == "kinesis:PutRecords"; !events || v.vars["serve_events"] == true {
				plan.Calls = append(plan.Calls, rules.Call(c))
			}
		}
		findings, looked := rules.Check(plan, rules.All())
		for _, f := range findings {
			if except[f.Rule.Name] == "" {
				t.Errorf("%s: %s", v.name, f)
			}
		}
		for name, n := range looked {
			seen[name] += n
		}
	}
	all := variants(packages)
	aws := mustPlanner(t, w, all[0])
	for i, v := range all {
		if v.region != all[max(i-1, 0)].region { // what the one before has left is in its region
			aws = mustPlanner(t, w, v)
		}
		shown := aws.mustKnownPlan(t, v)
		if i == 0 {
			checkFixture(t, mustBare(t, shown))
		}
		apply(v, shown, nil)
	}
	local := localVariant(packages)
	apply(local, mustPlanner(t, w, local).mustKnownPlan(t, local), notLocal())
	for name, n := range seen {
		if n == 0 {
			t.Errorf("rule %s looked at nothing: no variant has what it is about", name)
		}
	}
	t.Logf("%d rules, %d looks", len(seen), sum(seen))
}

// mustBare returns the resources of a plan by address, with their values, as rules.New takes them:
// without what no rule needs, and what differs from one machine to the next.
func mustBare(t *testing.T, shown []byte) []byte {
	t.Helper()
	resources, err := promotion.Planned(shown)
	if err != nil {
		t.Fatal(err)
	}
	bare := map[string]map[string]any{}
	for address, r := range resources {
		if r.Mode != "managed" {
			continue
		}
		values := maps.Clone(r.Values)
		for name, value := range values {
			empty, isList := value.([]any)
			if value == nil || isList && len(empty) == 0 || slices.Contains([]string{"tags", "tags_all", "description", "source",
				"source_hash", "filename", "source_code_hash", "storage_descriptor"}, name) {
				delete(values, name)
			}
		}
		bare[address] = values
	}
	data, err := json.MarshalIndent(bare, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// checkFixture compares the plan of the first variant with the one that the tests of the rules begin
// with. -update writes it.
func checkFixture(t *testing.T, got []byte) {
	t.Helper()
	file := filepath.Join("..", "rules", "testdata", "plan.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(strings.Split(string(mustRead(t, file)), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the plan differs from %s (make tf-rules ARGS=-update writes it):\n%s", file, diff)
	}
}
