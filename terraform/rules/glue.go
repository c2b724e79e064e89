package rules

import (
	"slices"
	"strings"
)

const (
	job        = "aws_glue_job"
	glue       = docs + "glue/latest/dg/"
	connection = "aws_glue_connection"
)

// glueRules are about Glue's jobs, connections and catalog.
func glueRules() []Rule {
	return slices.Concat([]Rule{{
		Name: "glue-trust", Source: glue + "create-an-iam-role.html",
		Says: "glue.amazonaws.com must be able to assume a job's role. No page says that a job's requests carry " +
			"aws:SourceAccount or aws:SourceArn",
		Do: "trust glue.amazonaws.com without a condition on the source: otherwise no job may start", Check: glueTrust,
	}, {
		Name: "glue-workers", Source: docs + "glue/latest/dg/add-job.html",
		Says: "Worker types of Spark jobs are G.1X to G.16X and R.1X to R.8X, and a job has at least 2 workers",
		Do:   "correct worker_type or number_of_workers",
		Check: both(oneOf(job, "worker_type", "G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X",
			"R.8X"), within(job, "number_of_workers", 2, 299)),
	}, {
		Name: "glue-timeout", Source: glue + "aws-glue-api-jobs-job.html",
		Says:  "A job's timeout is at most 7 days (10080 minutes); a longer one is an error from Glue 5.0 on",
		Do:    "correct timeout",
		Check: within(job, "timeout", 1, 10080),
	}, {
		Name: "glue-version", Source: glue + "release-notes.html",
		Says: "glue_version names the Spark and Python of a job; Glue 5.0 has Spark 3.5 and Python 3.11",
		Do:   "set glue_version 5.0 and python_version 3",
		Check: both(oneOf(job, "glue_version", "5.0", "5.1"), oneOf(job, "command.0.python_version", "3"), oneOf(job,
			"command.0.name", "glueetl")),
	}, {
		Name: "glue-code", Source: glue + "create-service-policy.html",
		Says: "The job's role reads the script and the files of its arguments from S3", Do: "allow s3:GetObject on them",
		Check: glueCode,
	}, {
		Name: "glue-logs", Source: glue + "monitor-continuous-logging-enable.html",
		Says: "With a security configuration Glue 5.0 logs to /aws-glue/jobs/<configuration>-role/<role>/error and " +
			"output, and needs logs:AssociateKmsKey, CreateLogStream and PutLogEvents",
		Do: "create both groups, and allow the actions on them", Check: glueLogs,
	}, {
		Name: "glue-metrics", Source: glue + "create-service-policy.html",
		Says: "The role needs cloudwatch:PutMetricData in the namespace Glue", Do: "allow it on *",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(job) {
				p.need(r, x, roleName(x.Text("role_arn")), "*", "cloudwatch:PutMetricData")
			}
		},
	}, {
		Name: "glue-key", Source: glue + "encryption-security-configuration.html",
		Says: "The role needs kms:Decrypt and kms:GenerateDataKey on the keys of the security configuration",
		Do:   "allow both", Check: glueKey,
	}}, catalogRules())
}

// catalogRules are about the job's connection, and the catalog.
func catalogRules() []Rule {
	return []Rule{{
		Name: "glue-network", Source: glue + "start-connecting.html",
		Says: "A job with a connection attaches interfaces: its role needs the EC2 actions, and ec2:CreateTags and " +
			"DeleteTags on the interfaces",
		Do: "allow them", Check: glueNetwork,
	}, {
		Name: "glue-self-reference", Source: glue + "setup-vpc-for-glue-access.html",
		Says: "A connection's security group must let in all TCP ports from itself",
		Do:   "add the ingress rule, and its egress", Check: selfReference,
	}, {
		Name: "glue-subnet", Source: glue + "vpc-endpoints-s3.html",
		Says: "The connection's subnet needs a way to S3: a gateway endpoint in its route table, and the subnet's own zone",
		Do:   "associate the route table with the endpoint", Check: glueSubnet,
	}, {
		Name: "glue-catalog-key", Source: glue + "encrypt-glue-data-catalog.html",
		Says: "The catalog's encryption is one setting of the account and region; with a deleted key its metadata cannot " +
			"be read",
		Do: "use AWS's own key of Glue, not the environment's: the key goes with the environment, and others' tables " +
			"with it",
		Check: each("aws_glue_data_catalog_encryption_settings", func(x Resource, r *Report) {
			for _, path := range []string{"encryption_at_rest.0.sse_aws_kms_key_id",
				"connection_password_encryption.0.aws_kms_key_id"} {
				key := x.Text("data_catalog_encryption_settings.0." + path)
				r.hold(key == "" || strings.HasSuffix(key, "alias/aws/glue"), x, "the account's catalog is encrypted with %s", key)
			}
		}),
	}, {
		Name: "glue-region", Source: docs + "sdkref/latest/guide/feature-region.html",
		Says: "An SDK outside Lambda and ECS knows its region from AWS_REGION, a profile or the metadata service; no page " +
			"says that Glue's workers have one",
		Do: "hand the region to the job as --region", Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(job) {
				arguments, _ := x.at("default_arguments").(map[string]any)
				r.hold(arguments == nil || arguments["--region"] == p.Region, x, "--region is %v", arguments["--region"])
			}
		},
	}, {
		Name: "glue-names", Source: docs + "athena/latest/ug/tables-databases-columns-names.html",
		Says: "Names of databases, tables and columns for Athena have lower-case letters, digits and underscores",
		Do:   "correct the name",
		Check: both(named("aws_glue_catalog_database", "name", nameOfDatabase.String(), 255),
			named("aws_glue_catalog_table", "name", nameOfDatabase.String(), 255)),
	}, {
		Name: "glue-projection", Source: docs + "athena/latest/ug/partition-projection-supported-types.html",
		Says: "Partition projection needs a type for each partition key, and date needs a format and a range",
		Do:   "give each partition key its projection", Check: each("aws_glue_catalog_table", projection),
	}}
}

func glueTrust(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		if name := roleName(x.Text("role_arn")); name != "" {
			trusted, keys := p.trusts(name, "glue.amazonaws.com")
			r.hold(trusted, x, "glue.amazonaws.com cannot assume its role %s", name)
			r.hold(!slices.Contains(keys, "aws:SourceAccount") && !slices.Contains(keys, "aws:SourceArn"), x,
				"its role %s wants %v, which Glue need not send", name, keys)
		}
	}
}

func glueCode(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		paths := []any{x.Text("command.0.script_location")}
		arguments, _ := x.at("default_arguments").(map[string]any)
		for _, value := range arguments {
			paths = append(paths, value)
		}
		for _, path := range paths {
			if text, _ := path.(string); strings.HasPrefix(text, "s3://") {
				p.need(r, x, roleName(x.Text("role_arn")), "arn:aws:s3:::"+strings.TrimPrefix(text, "s3://"), "s3:GetObject")
			}
		}
	}
}

func glueLogs(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		role := roleName(x.Text("role_arn"))
		if x.Text("security_configuration") == "" || role == "" {
			continue
		}
		for _, kind := range []string{"error", "output"} {
			name := "/aws-glue/jobs/" + x.Text("security_configuration") + "-role/" + role + "/" + kind
			group, found := p.find("aws_cloudwatch_log_group", "name", name)
			r.hold(found, x, "the plan has no log group %s", name)
			if arn := group.Text("arn"); arn != "" {
				p.need(r, x, role, arn+":log-stream:any", "logs:AssociateKmsKey", "logs:CreateLogStream", "logs:PutLogEvents")
			}
		}
	}
}

func glueKey(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		if c, found := p.find("aws_glue_security_configuration", "name", x.Text("security_configuration")); found {
			for _, path := range []string{"cloudwatch_encryption.0.kms_key_arn", "job_bookmarks_encryption.0.kms_key_arn",
				"s3_encryption.0.kms_key_arn"} {
				if key := c.Text("encryption_configuration.0." + path); key != "" {
					p.need(r, x, roleName(x.Text("role_arn")), key, "kms:Decrypt", "kms:GenerateDataKey")
				}
			}
		}
	}
}

func glueNetwork(p *Plan, r *Report) {
	for _, x := range p.Of(job) {
		if len(x.Texts("connections")) == 0 {
			continue
		}
		role := roleName(x.Text("role_arn"))
		p.need(r, x, role, "*", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
			"ec2:DescribeVpcEndpoints", "ec2:DescribeRouteTables")
		for _, action := range []string{"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:CreateTags",
			"ec2:DeleteTags"} {
			r.hold(slices.ContainsFunc(p.policies[role], func(s Statement) bool {
				return s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource,
					func(arn string) bool {
						return arn == "*" || strings.HasSuffix(arn, ":network-interface/*")
					})
			}), x, "its role %s does not allow %s on network interfaces", role, action)
		}
		for _, name := range x.Texts("connections") {
			if c, found := p.find(connection, "name", name); found {
				p.need(r, x, role, c.Text("arn"), "glue:GetConnection")
				if parts := strings.Split(c.Text("arn"), ":connection/"); len(parts) > 1 {
					p.need(r, x, role, parts[0]+":catalog", "glue:GetConnection")
				}
				p.attached(r, x, role, c)
			}
		}
	}
}

// attached checks that a role may create an interface in a connection's subnet and groups: EC2 asks for
// all of them.
func (p *Plan) attached(r *Report, x Resource, role string, c Resource) {
	places := append(c.Texts("physical_connection_requirements.0.security_group_id_list"),
		c.Text("physical_connection_requirements.0.subnet_id"))
	for _, place := range places {
		r.hold(slices.ContainsFunc(p.policies[role], func(s Statement) bool {
			return s.Effect == "Allow" && slices.Contains(s.Action, "ec2:CreateNetworkInterface") &&
				slices.ContainsFunc(s.Resource, func(arn string) bool { return arn == "*" || strings.HasSuffix(arn, "/"+place) })
		}), x, "its role %s does not allow ec2:CreateNetworkInterface in %s", role, place)
	}
}

func selfReference(p *Plan, r *Report) {
	for _, x := range p.Of(connection) {
		for _, group := range x.Texts("physical_connection_requirements.0.security_group_id_list") {
			for _, kind := range []string{"aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"} {
				r.hold(slices.ContainsFunc(p.Of(kind), func(rule Resource) bool {
					from, _ := rule.Number("from_port")
					to, _ := rule.Number("to_port")
					return rule.Text("security_group_id") == group && rule.Text("referenced_security_group_id") == group &&
						(rule.Text("ip_protocol") == "-1" || rule.Text("ip_protocol") == "tcp" && from == 0 && to == 65535)
				}), x, "its group %s has no %s for all TCP ports of itself", group, strings.TrimPrefix(kind,
					"aws_vpc_security_group_"))
			}
		}
	}
}

func glueSubnet(p *Plan, r *Report) {
	for _, x := range p.Of(connection) {
		id := x.Text("physical_connection_requirements.0.subnet_id")
		subnet, found := p.find("aws_subnet", "id", id)
		if !found {
			continue
		}
		zone := x.Text("physical_connection_requirements.0.availability_zone")
		r.hold(subnet.Text("availability_zone") == zone, x, "its subnet is in %s, not in %s",
			subnet.Text("availability_zone"), zone)
		r.hold(p.reachesS3(id), x, "its subnet has no way to S3")
	}
}

func projection(x Resource, r *Report) {
	parameters, _ := x.at("parameters").(map[string]any)
	if parameters["projection.enabled"] != "true" {
		return
	}
	for _, key := range x.Blocks("partition_keys") {
		name := "projection." + key.Text("name") + "."
		kind, _ := parameters[name+"type"].(string)
		ok := slices.Contains([]string{"enum", "integer", "date", "injected"}, kind)
		if kind == "date" {
			ok = parameters[name+"format"] != nil && parameters[name+"range"] != nil
		}
		if kind == "integer" {
			ok = parameters[name+"range"] != nil
		}
		template, _ := parameters["storage.location.template"].(string)
		r.hold(ok && strings.Contains(template, "${"+key.Text("name")+"}"), x,
			"the projection of %s lacks its type, its range or its place", key.Text("name"))
	}
}
