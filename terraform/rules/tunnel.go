package rules

import (
	"encoding/json"
	"strconv"
	"strings"
)

// tunnelRules are about the way of a person to the vector database.
func tunnelRules() []Rule {
	return []Rule{{
		Name: "ecs-exec", Source: ecs + "ecs-exec.html",
		Says: "ECS Exec needs four actions of ssmmessages in the task's role, and a root file system that can be written; " +
			"who opens a session starts, watches and stops the task, and hands over its roles",
		Do: "allow the actions, and set exec of module task", Check: sessions,
	}, {
		Name:   "tunnel-target",
		Source: docs + "systems-manager/latest/userguide/session-manager-working-with-sessions-start.html",
		Says:   "A session with AWS-StartPortForwardingSessionToRemoteHost forwards to the host and port that it names",
		Do:     "name the database's address in the label kindred.tunnel, and let the operator log in and read what it names",
		Check:  tunnelTargets,
	}}
}

// tunnel is what `make tunnel` reads of a task.
type tunnel struct {
	Subnets       []string
	SecurityGroup string `json:"security_group"`
	Public        bool
	Host          string
	Port          float64
	User          string
	Environment   map[string]string
}

// tunnel returns the label of a task's container, if the task has one.
func (x Resource) tunnel() (l tunnel, found bool) {
	for _, c := range x.containers() {
		if text := c.DockerLabels["kindred.tunnel"]; text != "" {
			return l, json.Unmarshal([]byte(text), &l) == nil
		}
	}
	return l, false
}

const (
	startSession = "ssm:StartSession"
	forwarding   = "document/AWS-StartPortForwardingSessionToRemoteHost"
)

// openers are the roles that may open sessions.
func (p *Plan) openers() (names []string) {
	for _, x := range p.Of(role) {
		for _, s := range p.policies[x.Text("name")] {
			if s.Effect == "Allow" && anyMatches(s.Action, startSession) {
				names = append(names, x.Text("name"))
				break
			}
		}
	}
	return names
}

func sessions(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		if _, found := x.tunnel(); !found {
			continue
		}
		p.need(r, x, roleName(x.Text("task_role_arn")), "*", "ssmmessages:CreateControlChannel",
			"ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel")
		for _, c := range x.containers() {
			r.hold(!c.ReadonlyRootFilesystem, x, "the agent of ECS Exec cannot write to the root file system")
		}
		openers := p.openers()
		r.hold(len(openers) > 0, x, "nobody may open a session in it")
		here := strings.TrimSuffix(x.Text("arn"), "task-definition/"+x.Text("family")+":1")
		_, account, _ := strings.Cut(here, ":ecs:")
		region, _, _ := strings.Cut(account, ":")
		for _, name := range openers {
			p.need(r, x, name, "*", "ecs:DescribeTaskDefinition")
			p.need(r, x, name, x.Text("arn"), "ecs:RunTask")
			p.need(r, x, name, here+"task/"+p.cluster()+"/any", "ecs:DescribeTasks", "ecs:StopTask", startSession)
			p.need(r, x, name, "arn:aws:ssm:"+region+"::"+forwarding, startSession)
			p.need(r, x, name, "arn:aws:ssm:"+account+"session/${aws:userid}-1", "ssm:TerminateSession", "ssm:ResumeSession")
			p.need(r, x, name, x.Text("task_role_arn"), "iam:PassRole")
			p.need(r, x, name, x.Text("execution_role_arn"), "iam:PassRole")
		}
	}
}

// cluster returns the name of the cluster.
func (p *Plan) cluster() string {
	for _, x := range p.Of("aws_ecs_cluster") {
		return x.Text("name")
	}
	return ""
}

func tunnelTargets(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		l, found := x.tunnel()
		if !found {
			continue
		}
		db, found := p.find(instance, "address", l.Host)
		port, _ := db.Number("port")
		r.hold(found && port == l.Port, x, "%s:%s is no database of the plan", l.Host, strconv.Itoa(int(l.Port)))
		if !found {
			continue
		}
		place, _, _ := strings.Cut(strings.Replace(db.Text("arn"), ":rds:", ":rds-db:", 1), ":db:")
		for _, name := range p.openers() {
			p.need(r, x, name, place+":dbuser:"+db.Text("resource_id")+"/"+l.User, "rds-db:connect")
			for _, variable := range []string{"LAKE_BUCKET", "ARTIFACTS_BUCKET", "RECOMMENDATIONS_BUCKET"} {
				arn := "arn:aws:s3:::" + l.Environment[variable]
				p.need(r, x, name, arn, "s3:ListBucket")
				p.need(r, x, name, arn+"/any", "s3:GetObject")
			}
			if s, found := p.find(stream, "name", l.Environment["ACTIVITY_STREAM"]); found {
				p.need(r, x, name, s.Text("arn"), "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
					"kinesis:GetShardIterator", "kinesis:ListShards")
			}
			p.need(r, x, name, db.Text("kms_key_id"), "kms:Decrypt")
		}
	}
}
