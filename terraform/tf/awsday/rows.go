package awsday

import "slices"

// Row is something that only AWS can tell.
type Row struct {
	ID       string `json:"id"`
	Question string `json:"question"`
	Expect   string `json:"expect"`
	Source   string `json:"source"` // where the repository says why we expect it, or that nobody knows
	// by is the step of the promotion that answers it; "" asks the Account about the row's id.
	by string
	// needs are the rows that must have passed before the Account is asked.
	needs []string
	// emulated says that moto's answer to the question means something.
	emulated bool
}

// Rows whose answers others need, and the last one.
const (
	applied   = "apply"
	loaded    = "load"
	restored  = "restore"
	destroyed = "destroy"
)

// Rows are the questions of a day, in the order in which they are answered.
func Rows() []Row {
	asked := []string{"iam-login"}
	return []Row{
		{ID: applied, by: "apply", emulated: true, Source: "docs/deploy.md, Rules of AWS",
			Question: "Does AWS accept each resource of terraform/aws, the first time?",
			Expect:   "one apply creates everything"},
		{ID: "erase-secret", by: "secret", emulated: true, Source: "docs/deploy.md, Erased persons",
			Question: "Can the promotion give the secret of the erased persons its value, under the environment's key?",
			Expect:   "the secret has a value"},
		{ID: "image", by: "image", Source: "docs/deploy.md, Each promotion",
			Question: "Does ECR take an image that no container engine pushed?",
			Expect:   "the tag is there"},
		{ID: "first-task", by: "schema", Source: "docs/deploy.md, What is missing: running a task",
			Question: "Does a task start in a network without internet, pull its image, read its secret, write its log and " +
				"reach PostgreSQL over TLS?",
			Expect: "publish migrate ends with 0"},
		{ID: "fill", by: "fill", Source: "docs/deploy.md, The day with an account",
			Question: "Does a task log in to RDS for MySQL over TLS, and write?",
			Expect:   "seed fills the empty shop"},
		{ID: "endpoint-policies", by: "chain", Source: "terraform/rules/network.go",
			Question: "Do the roles, the endpoints' policies and the key's policy allow etl, feedback, train and publish what " +
				"they call?",
			Expect: "the chain succeeds"},
		{ID: "glue-credentials", needs: []string{"endpoint-policies"}, Source: "docs/decisions, 0086; terraform/modules/glue",
			Question: "Do the programs that Glue's launchers start find the job's credentials?",
			Expect:   "the chain's Glue jobs succeeded"},
		{ID: "iam-login", by: "ask", Source: "docs/deploy.md, What is missing: IAM login",
			Question: "Do the functions log in to PostgreSQL with an IAM token, through their role's rds-db:connect?",
			Expect:   "the new version of serve says that it can answer"},
		{ID: "cold-start", needs: asked, Source: "docs/performance.md",
			Question: "How long does a new instance of serve take to start?",
			Expect:   "less than 10 s, Lambda's limit for the start of a function"},
		{ID: "function-url", by: "smoke test", Source: "docs/deploy.md, Each promotion",
			Question: "Does the function URL of serve answer a signed request, with InvokeFunction and InvokeFunctionUrl " +
				"allowed?",
			Expect: "200"},
		{ID: "delivery", by: "smoke test", Source: "docs/deploy.md, What is missing: delivering a record",
			Question: "Does an event go through Kinesis, the function and Firehose to S3, where the record can be read?",
			Expect:   "the answer to one event arrives"},
		{ID: "unsigned", needs: asked, Source: "docs/deploy.md, serve_callers",
			Question: "Does the function URL refuse a request that nobody signed?",
			Expect:   "403"},
		{ID: "front", needs: asked, Source: "docs/decisions/0077-a-rest-api-before-serve.md",
			Question: "Does the REST API with its web ACL reach serve?",
			Expect:   "kindred.js with 200"},
		{ID: "alarm-sent", by: "alarm", Source: "docs/runbooks.md",
			Question: "May CloudWatch publish to the topic, which the environment's key encrypts?",
			Expect:   "CloudWatch has sent the test alarm"},
		{ID: "alarm-person", needs: []string{"alarm-sent"}, Source: "docs/deploy.md, Each promotion",
			Question: "Do alarms reach each of alarm_emails?",
			Expect:   "nobody has yet to confirm; look into the mailbox for the test alarm"},
		{ID: "settled", needs: []string{applied}, emulated: true, Source: "terraform/acceptance/aws_test.go",
			Question: "Does AWS return each attribute as it was set?",
			Expect:   "a second plan changes nothing"},
		{ID: "conformance", Source: "docs/parity.md, column AWS",
			Question: "Does AWS behave as its documents say, in all rows of docs/parity.md, Firehose's limits among them?",
			Expect:   "every row is as documented"},
		{ID: loaded, needs: []string{"delivery"}, Source: "docs/performance.md",
			Question: "Is each of thousands of events answered once, at a steady rate?",
			Expect:   "verify finds no lost event"},
		{ID: "connections", needs: []string{loaded}, Source: "terraform/aws/main.tf, function_concurrency",
			Question: "Does the vector database have connections left under load?",
			Expect:   "the most that were open is below 75 for each GiB of its class"},
		{ID: "quiet", needs: []string{loaded}, Source: "docs/runbooks.md",
			Question: "Do the alarms stay quiet while everything works?",
			Expect:   "no alarm of the functions is raised"},
		{ID: restored, needs: []string{applied}, emulated: true, Source: "docs/runbooks.md",
			Question: "How long does it take to restore the vector database from a snapshot into a second instance?",
			Expect:   "the instance is available within an hour"},
		{ID: "restored-data", needs: []string{restored, "endpoint-policies"}, Source: "docs/runbooks.md",
			Question: "Does the restored database hold the same versions, and as many rows?",
			Expect:   "publish list prints the same for both, and finds no damage"},
		{ID: "schedule", needs: []string{"first-task"}, Source: "terraform/modules/schedule",
			Question: "Does EventBridge Scheduler start a task, with its role's iam:PassRole?",
			Expect:   "the hourly rollup has written to its log"},
		{ID: destroyed, by: "destroy", emulated: true, Source: "docs/deploy.md, Back",
			Question: "Does a destroy delete everything, network interfaces of functions included?",
			Expect:   "the state is empty"},
	}
}

// questions are the ids that an Account is asked about.
func questions() (ids []string) {
	for _, row := range Rows() {
		if row.by == "" {
			ids = append(ids, row.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
