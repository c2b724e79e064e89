package rules

import (
	"maps"
	"slices"
	"strings"
)

const (
	endpoint = "aws_vpc_endpoint"
	privlink = docs + "vpc/latest/privatelink/"
)

// networkRules are about the private network without a way to the internet.
func networkRules() []Rule {
	return slices.Concat([]Rule{{
		Name: "endpoint-per-program", Source: privlink + "aws-services-privatelink-support.html",
		Says: "Without a NAT gateway a program reaches only the services whose endpoint is in its VPC",
		Do:   "add the endpoint of the service, or do without the call", Check: endpoints,
	}, {
		Name: "endpoint-image", Source: docs + "AmazonECR/latest/userguide/vpc-endpoints.html",
		Says: "A Fargate task pulls its image by ecr.api, ecr.dkr and S3, logs by logs, and reads secrets by secretsmanager",
		Do:   "add the endpoints", Check: imageEndpoints,
	}, {
		Name: "endpoint-dns", Source: privlink + "privatelink-access-aws-services.html",
		Says: "Private DNS needs enable_dns_support and enable_dns_hostnames of the VPC; without it SDKs call the public " +
			"address",
		Do: "set private_dns_enabled, enable_dns_support and enable_dns_hostnames", Check: endpointDNS,
	}, {
		Name: "endpoint-groups", Source: privlink + "create-interface-endpoint.html",
		Says: "An interface endpoint's group must let in port 443 from the programs, and their groups must let it out",
		Do:   "add both rules", Check: endpointGroups,
	}, {
		Name: "endpoint-zones", Source: privlink + "create-interface-endpoint.html",
		Says: "An endpoint has an address in each zone that it names a subnet of; programs of other zones reach it too",
		Do:   "name the same subnets in each endpoint: a zone that one of them lacks helps nobody", Check: endpointZones,
	}, {
		Name: "endpoint-policy", Source: privlink + "vpc-endpoints-access.html",
		Says: "Without a policy an endpoint lets everybody do everything with every account's resources. ECR's images " +
			"need GetObject on prod-<region>-starport-layer-bucket",
		Do:    "admit this account by aws:PrincipalAccount, for S3 its buckets by aws:ResourceAccount, and ECR's layers",
		Check: endpointPolicies,
	}, {
		Name: "task-address", Source: ecs + "fargate-task-networking.html",
		Says: "A task in a public subnet needs a public address to reach the internet; one in a private subnet needs none",
		Do:   "let the address and the subnets of a task agree", Check: taskAddresses,
	}, {
		Name: "gateway-routes", Source: privlink + "gateway-endpoints.html",
		Says: "Instances in subnets whose route table has the gateway endpoint reach S3 by it",
		Do:   "associate every private route table",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of("aws_subnet") {
				r.hold(p.reachesS3(x.Text("id")), x, "its route table has no way to S3")
			}
		},
	}, {
		Name: "gateway-prefix-list", Source: privlink + "vpc-endpoints-s3.html",
		Says:  "A group whose egress is limited needs a rule for S3's prefix list",
		Do:    "let out port 443 to the endpoint's prefix list",
		Check: gatewayPrefix,
	}, {
		Name: "endpoint-region", Source: privlink + "aws-services-privatelink-support.html",
		Says: "An endpoint's service is named com.amazonaws.<region>.<service>", Do: "use the environment's region",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(endpoint) {
				r.hold(strings.HasPrefix(x.Text("service_name"), "com.amazonaws."+p.Region+"."), x, "its service is %s",
					x.Text("service_name"))
			}
		},
	}}, reachRules())
}

// reachRules are about who reaches what.
func reachRules() []Rule {
	return []Rule{{
		Name: "database-clients", Source: docs + "AmazonRDS/latest/UserGuide/Overview.RDSSecurityGroups.html",
		Says: "A security group lets in whoever has a group that a rule names: name the programs that log in, and no other",
		Do:   "give each program a group of its own, and let in only those that use the database", Check: databaseClients,
	}, {
		Name: "database-ports", Source: docs + "AmazonRDS/latest/UserGuide/Overview.RDSSecurityGroups.html",
		Says: "A database is reached if its group lets in its port from the client's group, and that group lets it out",
		Do:   "add both rules, with the database's port", Check: databasePorts,
	}, {
		Name: "zones-of-region", Source: docs + "global-infrastructure/latest/regions/aws-availability-zones.html",
		Says: "A zone's name is its region's, and a letter", Do: "correct zones",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of("aws_subnet") {
				if zone := x.Text("availability_zone"); zone != "" {
					letter, own := strings.CutPrefix(zone, p.Region)
					r.hold(own && len(letter) == 1, x, "zone %s in region %s", zone, p.Region)
				}
			}
		},
	}, {
		Name: "security-group-open", Source: docs + "vpc/latest/userguide/security-group-rules.html",
		Says:  "0.0.0.0/0 lets in, or out, the whole internet",
		Do:    "name a group, a prefix list or the network's range. Only tasks with a public address may send to port 443",
		Check: openRules,
	}, {
		Name: "flow-log-role", Source: docs + "vpc/latest/userguide/flow-logs-iam-role.html",
		Says: "The role needs logs:CreateLogStream, PutLogEvents, DescribeLogGroups and DescribeLogStreams, and trusts " +
			"vpc-flow-logs.amazonaws.com",
		Do: "allow the actions; DescribeLogGroups takes *", Check: flowLog,
	}}
}

// reachesS3 reports whether a subnet's route table has S3's gateway endpoint.
func (p *Plan) reachesS3(subnet string) bool {
	association, found := p.find("aws_route_table_association", "subnet_id", subnet)
	return found && slices.ContainsFunc(p.Of(endpoint), func(x Resource) bool {
		return x.Text("vpc_endpoint_type") == "Gateway" && strings.HasSuffix(x.Text("service_name"), ".s3") &&
			slices.Contains(x.Texts("route_table_ids"), association.Text("route_table_id"))
	})
}

// hasEndpoint reports whether the network has an endpoint of a service.
func (p *Plan) hasEndpoint(service string) bool {
	_, found := p.find(endpoint, "service_name", "com.amazonaws."+p.Region+"."+service)
	return found
}

// endpointOf names the endpoint of the services that programs call; services that only AWS itself calls
// on a role's behalf are not among them.
func endpointOf() map[string]string {
	return map[string]string{"firehose": "kinesis-firehose", "kinesis": "kinesis-streams", "s3": "s3",
		"secretsmanager": "secretsmanager",
		"sns":            "sns", "sqs": "sqs", "states": "states", "cloudwatch": "monitoring", "glue": "glue",
		"lambda": "lambda",
		"athena": "athena", "dynamodb": "dynamodb", "ssmmessages": "ssmmessages"}
}

// inside returns the roles of the programs that run in the network, with the resource that says so.
func (p *Plan) inside() map[string]Resource {
	roles := map[string]Resource{}
	for _, x := range p.Of(function) {
		if len(x.Blocks("vpc_config")) > 0 {
			roles[roleName(x.Text("role"))] = x
		}
	}
	for _, x := range p.Of(task) {
		roles[roleName(x.Text("task_role_arn"))] = x
	}
	for _, x := range p.Of(job) {
		if len(x.Texts("connections")) > 0 {
			roles[roleName(x.Text("role_arn"))] = x
		}
	}
	return roles
}

func endpointZones(p *Plan, r *Report) {
	most := 0
	for _, x := range p.Of(endpoint) {
		most = max(most, len(x.Texts("subnet_ids")))
	}
	for _, x := range p.Of(endpoint) {
		if x.Text("vpc_endpoint_type") == "Interface" {
			r.hold(most > 0 && len(x.Texts("subnet_ids")) == most, x, "it is in %d subnets, others in %d",
				len(x.Texts("subnet_ids")), most)
		}
	}
}

func endpointPolicies(p *Plan, r *Report) {
	for _, x := range p.Of(endpoint) {
		own, layers := false, x.Text("vpc_endpoint_type") == "Interface" || len(p.Of(task)) == 0
		open := len(x.statements("policy")) == 0
		for _, s := range x.statements("policy") {
			equal := s.Condition["StringEquals"]
			limited := len(equal["aws:PrincipalAccount"]) == 1 &&
				(x.Text("vpc_endpoint_type") == "Interface" || len(equal["aws:ResourceAccount"]) == 1)
			own = own || limited
			open = open || !limited && slices.Contains(s.Resource, "*")
			layers = layers || len(equal["aws:ResourceAccount"]) == 0 && anyMatches(s.Action, "s3:GetObject") &&
				anyMatches(s.Resource, "arn:aws:s3:::prod-"+p.Region+"-starport-layer-bucket/any")
		}
		r.hold(own && !open, x, "it admits more than this account")
		r.hold(layers, x, "no task can pull an image")
	}
}

// run is a start of a task.
type run struct {
	from       Resource
	definition string
	subnets    []string
	groups     []string
	public     bool
}

// runs are the starts of tasks: by the chain, by schedules, and by an operator who opens a tunnel.
func (p *Plan) runs() (all []run) {
	for _, x := range p.Of(machine) {
		for _, call := range x.calls("ecs:runTask.sync") {
			at := "NetworkConfiguration.AwsvpcConfiguration."
			all = append(all, run{call, call.Text("TaskDefinition"), call.Texts(at + "Subnets"),
				call.Texts(at + "SecurityGroups"), call.Text(at+"AssignPublicIp") == "ENABLED"})
		}
	}
	for _, x := range p.Of(schedule) {
		at := "target.0.ecs_parameters.0."
		if definition := x.Text(at + "task_definition_arn"); definition != "" {
			at += "network_configuration.0."
			all = append(all, run{x, definition, x.Texts(at + "subnets"),
				x.Texts(at + "security_groups"), x.True(at + "assign_public_ip")})
		}
	}
	for _, x := range p.Of(task) {
		if l, found := x.tunnel(); found {
			all = append(all, run{x, x.Text("arn"), l.Subnets, []string{l.SecurityGroup}, l.Public})
		}
	}
	return all
}

// isPublic reports whether a task runs with a public address, wherever it is started.
func (p *Plan) isPublic(x Resource) bool {
	public := false
	for _, run := range p.runs() {
		if run.definition == x.Text("arn") {
			if !run.public {
				return false
			}
			public = true
		}
	}
	return public
}

// isOpen reports whether a subnet has a route to the internet.
func (p *Plan) isOpen(subnet string) bool {
	association, found := p.find("aws_route_table_association", "subnet_id", subnet)
	return found && slices.ContainsFunc(p.Of("aws_route"), func(x Resource) bool {
		return x.Text("route_table_id") == association.Text("route_table_id") &&
			x.Text("destination_cidr_block") == "0.0.0.0/0" && x.Text("gateway_id") != ""
	})
}

func taskAddresses(p *Plan, r *Report) {
	for _, run := range p.runs() {
		for _, subnet := range run.subnets {
			r.hold(p.isOpen(subnet) == run.public, run.from, "subnet %s has a way to the internet: %t, the task an address: %t",
				subnet, p.isOpen(subnet), run.public)
		}
	}
}

func endpoints(p *Plan, r *Report) {
	if len(p.Of("aws_vpc")) == 0 {
		return
	}
	for role, x := range p.inside() {
		if x.Type == task && p.isPublic(x) {
			continue
		}
		for _, s := range p.policies[role] {
			for _, action := range s.Action {
				service, name, _ := strings.Cut(action, ":")
				wanted := endpointOf()[service]
				// The mapping reads the stream from outside, by Lambda's own network.
				if s.Effect != "Allow" || wanted == "" || service == "kinesis" && x.Type == function &&
					!strings.HasPrefix(name, "Put") {
					continue
				}
				r.hold(p.hasEndpoint(wanted), x, "it calls %s, and the network has no endpoint %s", action, wanted)
			}
		}
	}
}

func imageEndpoints(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		if p.isPublic(x) {
			continue
		}
		wanted := []string{"ecr.api", "ecr.dkr", "s3", "logs"}
		for _, c := range x.containers() {
			if len(c.Secrets) > 0 {
				wanted = append(wanted, "secretsmanager")
			}
		}
		for _, service := range wanted {
			r.hold(p.hasEndpoint(service), x, "the network has no endpoint %s", service)
		}
	}
}

func endpointDNS(p *Plan, r *Report) {
	for _, x := range p.Of(endpoint) {
		if x.Text("vpc_endpoint_type") == "Interface" {
			r.hold(x.True("private_dns_enabled"), x, "it has no private DNS")
		}
	}
	for _, x := range p.Of("aws_vpc") {
		r.hold(x.True("enable_dns_support") && x.True("enable_dns_hostnames"), x, "its DNS is off")
	}
}

// joined reports whether a rule of each direction lets a port pass from one group to another.
func (p *Plan) joined(from, to string, port float64) (out, in bool) {
	fits := func(rule Resource, own, other string) bool {
		least, _ := rule.Number("from_port")
		most, _ := rule.Number("to_port")
		return rule.Text("security_group_id") == own && rule.Text("referenced_security_group_id") == other &&
			(rule.Text("ip_protocol") == "-1" || rule.Text("ip_protocol") == "tcp" && least <= port && port <= most)
	}
	for _, rule := range p.Of("aws_vpc_security_group_egress_rule") {
		out = out || fits(rule, from, to)
	}
	for _, rule := range p.Of("aws_vpc_security_group_ingress_rule") {
		in = in || fits(rule, to, from)
	}
	return out, in
}

// clients are the groups of the programs in the network, with the engines of the databases that each logs in to.
func (p *Plan) clients() map[string][]string {
	clients := map[string][]string{}
	add := func(groups []string, variables []string) {
		for _, group := range groups {
			clients[group] = append(clients[group], "")
			for variable, engine := range map[string]string{"PGVECTOR_DSN": "postgres", "MYSQL_DSN": "mysql"} {
				if slices.Contains(variables, variable) {
					clients[group] = append(clients[group], engine)
				}
			}
		}
	}
	for _, x := range p.Of(function) {
		variables, _ := x.at("environment.0.variables").(map[string]any)
		add(x.Texts("vpc_config.0.security_group_ids"), slices.Collect(maps.Keys(variables)))
	}
	for _, x := range p.Of(connection) {
		add(x.Texts("physical_connection_requirements.0.security_group_id_list"), []string{"MYSQL_DSN"})
	}
	for _, run := range p.runs() {
		x, _ := p.find(task, "arn", run.definition)
		var variables []string
		for _, c := range x.containers() {
			for _, v := range c.Environment {
				variables = append(variables, v.Name)
			}
		}
		if _, found := x.tunnel(); found {
			variables = append(variables, "PGVECTOR_DSN")
		}
		add(run.groups, variables)
	}
	return clients
}

func endpointGroups(p *Plan, r *Report) {
	for _, x := range p.Of(endpoint) {
		if x.Text("vpc_endpoint_type") != "Interface" {
			continue
		}
		for client := range p.clients() {
			for _, group := range x.Texts("security_group_ids") {
				out, in := p.joined(client, group, 443)
				r.hold(out && in, x, "port 443 from %s: let out %t, let in %t", client, out, in)
			}
		}
	}
}

func gatewayPrefix(p *Plan, r *Report) {
	for _, x := range p.Of(endpoint) {
		if x.Text("vpc_endpoint_type") != "Gateway" || x.Text("prefix_list_id") == "" {
			continue
		}
		for client := range p.clients() {
			r.hold(slices.ContainsFunc(p.Of("aws_vpc_security_group_egress_rule"), func(rule Resource) bool {
				port, _ := rule.Number("to_port")
				return rule.Text("security_group_id") == client && rule.Text("prefix_list_id") == x.Text("prefix_list_id") &&
					port == 443
			}), x, "%s does not let out port 443 to it", client)
		}
	}
}

func databasePorts(p *Plan, r *Report) {
	for _, x := range p.Of(instance) {
		port := map[string]float64{"mysql": 3306, "postgres": 5432}[x.Text("engine")]
		if own, set := x.Number("port"); set && own > 0 {
			port = own
		}
		for client, engines := range p.clients() {
			if !slices.Contains(engines, x.Text("engine")) {
				continue
			}
			for _, group := range x.Texts("vpc_security_group_ids") {
				out, in := p.joined(client, group, port)
				r.hold(out && in, x, "port %v from %s: let out %t, let in %t", port, client, out, in)
			}
		}
		r.hold(!x.True("publicly_accessible"), x, "it has a public address")
	}
}

// databaseClients finds who is let in to a database and does not log in to it.
func databaseClients(p *Plan, r *Report) {
	clients := p.clients()
	for _, x := range p.Of(instance) {
		for _, rule := range p.Of("aws_vpc_security_group_ingress_rule") {
			from := rule.Text("referenced_security_group_id")
			if from != "" && slices.Contains(x.Texts("vpc_security_group_ids"), rule.Text("security_group_id")) {
				r.hold(slices.Contains(clients[from], x.Text("engine")), rule,
					"it lets in %s, and no program of that group logs in", from)
			}
		}
	}
}

func openRules(p *Plan, r *Report) {
	for _, kind := range []string{"aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"} {
		for _, x := range p.Of(kind) {
			least, _ := x.Number("from_port")
			most, _ := x.Number("to_port")
			tasks := kind == "aws_vpc_security_group_egress_rule" && len(p.Of("aws_internet_gateway")) > 0 && least == 443 &&
				most == 443
			r.hold(tasks || x.Text("cidr_ipv4") != "0.0.0.0/0" && x.Text("cidr_ipv6") != "::/0", x, "it is open to the internet")
		}
	}
}

func flowLog(p *Plan, r *Report) {
	for _, x := range p.Of("aws_flow_log") {
		role := roleName(x.Text("iam_role_arn"))
		p.wantTrust(r, x, x.Text("iam_role_arn"), "vpc-flow-logs.amazonaws.com")
		if arn := x.Text("log_destination"); arn != "" {
			_, found := p.find("aws_cloudwatch_log_group", "arn", arn)
			r.hold(found, x, "the plan has no log group %s", arn)
			p.need(r, x, role, arn+":log-stream:any", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams")
			p.need(r, x, role, "*", "logs:DescribeLogGroups")
		}
	}
}
