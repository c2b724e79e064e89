package rules

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// docs is where AWS's documentation is.
const docs = "https://docs.aws.amazon.com/"

const (
	instance = "aws_db_instance"
	rds      = docs + "AmazonRDS/latest/UserGuide/"
	rdsAPI   = docs + "AmazonRDS/latest/APIReference/API_CreateDBInstance.html"
)

// databaseRules are about RDS.
func databaseRules() []Rule {
	return slices.Concat([]Rule{{
		Name: "rds-insights-class", Source: rds + "USER_PerfInsights.Overview.Engines.html",
		Says:  "Performance Insights of RDS for MySQL isn't supported on db.t2, db.t3 and db.t4g micro and small",
		Do:    "set performance_insights_enabled only for classes that support it",
		Check: each(instance, insights),
	}, {
		Name: "rds-parameter-family", Source: rds + "USER_WorkingWithParamGroups.html",
		Says:  "A DB parameter group belongs to one family, which must be that of the engine and its version",
		Do:    "give the parameter group the family of the engine's version",
		Check: parameterFamily,
	}, {
		Name: "rds-parameter-group-name", Source: rds + "USER_UpgradeDBInstance.PostgreSQL.MajorVersion.html",
		Says: "A major upgrade needs a group of the new family, and a group's name must not exist " +
			"(DBParameterGroupAlreadyExists)",
		Do: "make the family part of the group's name, because the new group is made before the old one is deleted",
		Check: each("aws_db_parameter_group", func(x Resource, r *Report) {
			family := strings.ReplaceAll(x.Text("family"), ".", "-")
			r.hold(x.Text("name") == "" || strings.Contains(x.Text("name"), family), x,
				"the name %s stays the same in a new family", x.Text("name"))
		}),
	}, {
		Name: "rds-final-snapshot", Source: docs + "AmazonRDS/latest/APIReference/API_DeleteDBInstance.html",
		Says:  "Without SkipFinalSnapshot a snapshot is made, whose name must not exist (DBSnapshotAlreadyExists)",
		Do:    "make the snapshot's name unique to this instance: a second one of the same name has no other last snapshot",
		Check: each(instance, finalSnapshot),
	}, {
		Name: "rds-version-is-major", Source: rds + "USER_UpgradeDBInstance.Upgrading.html",
		Says: "With AutoMinorVersionUpgrade RDS raises the minor version in the maintenance window",
		Do:   "name the major version only: a minor one would be a downgrade after RDS has raised it, which RDS refuses",
		Check: each(instance, func(x Resource, r *Report) {
			parts := strings.Count(x.Text("engine_version"), ".")
			major := map[string]int{"mysql": 1, "postgres": 0}[x.Text("engine")]
			r.hold(!x.True("auto_minor_version_upgrade") || parts <= major, x, "engine_version %s names a minor version",
				x.Text("engine_version"))
		}),
	}, {
		Name: "rds-storage", Source: rds + "USER_PIOPS.Autoscaling.html",
		Says: "gp3 has 20 to 65536 GiB; the maximum of autoscaling must be at least 10 % above the allocated storage",
		Do:   "correct allocated_storage or max_allocated_storage",
		Check: each(instance, func(x Resource, r *Report) {
			size, _ := x.Number("allocated_storage")
			most, grows := x.Number("max_allocated_storage")
			r.hold(size >= 20 && size <= 65536, x, "allocated_storage is %v GiB", size)
			r.hold(!grows || most == 0 || most >= size*1.1 && most <= 65536, x, "max_allocated_storage is %v, allocated %v",
				most, size)
		}),
	}, {
		Name: "rds-monitoring", Source: rds + "USER_Monitoring.OS.Enabling.html",
		Says: "Enhanced monitoring has intervals of 1, 5, 10, 15, 30 and 60 s, and needs a role that " +
			"monitoring.rds.amazonaws.com assumes, with AmazonRDSEnhancedMonitoringRole",
		Do:    "correct monitoring_interval, or the role's trust or policy",
		Check: monitoring,
	}, {
		Name: "rds-identifier", Source: rdsAPI,
		Says: "DBInstanceIdentifier has 1 to 63 letters, digits and hyphens, begins with a letter, has no two hyphens " +
			"together and none at the end",
		Do: "shorten or correct the name", Check: named(instance, "identifier", `^[a-z]([a-z0-9]|-[a-z0-9]){0,62}$`, 63),
	}, {
		Name: "rds-master-name", Source: rdsAPI,
		Says:  "MasterUsername has 1 to 16 letters and digits, begins with a letter, and is not a reserved word",
		Do:    "choose another username",
		Check: both(named(instance, "username", `^[a-zA-Z][a-zA-Z0-9_]{0,15}$`, 16), reservedNames),
	}, {
		Name: "rds-password", Source: rds + "rds-secrets-manager.html",
		Says: "A password cannot be given if RDS manages the master password in Secrets Manager",
		Do:   "remove password, or manage_master_user_password",
		Check: each(instance, func(x Resource, r *Report) {
			r.hold(x.True("manage_master_user_password") && x.Text("password") == "", x, "it has a password of its own")
		}),
	}}, accessRules())
}

// accessRules are about who reaches a database, and what is seen of it.
func accessRules() []Rule {
	return []Rule{{
		Name: "rds-subnet-zones", Source: rds + "USER_VPC.WorkingWithRDSInstanceinaVPC.html",
		Says: "A DB subnet group must have subnets in at least two Availability Zones",
		Do:   "add a subnet in another zone", Check: subnetZones,
	}, {
		Name: "rds-log-exports", Source: rds + "USER_LogAccess.Procedural.UploadtoCloudWatch.html",
		Says: "Each engine exports its own kinds of logs, to /aws/rds/instance/<identifier>/<kind>",
		Do:   "name a kind that the engine has, and create its log group, so that it expires", Check: logExports,
	}, {
		Name: "rds-force-tls", Source: rds + "CHAP_BestPractices.html",
		Says: "rds.force_ssl (PostgreSQL) and require_secure_transport (MySQL) refuse connections without TLS",
		Do:   "set the parameter to 1", Check: forceTLS,
	}, {
		Name: "rds-iam-login", Source: rds + "UsingWithRDS.IAMDBAuth.IAMPolicy.html",
		Says: "rds-db:connect names dbuser:<DbiResourceId>/<user> of an instance with IAM authentication",
		Do:   "name the instance's resource_id, and enable iam_database_authentication_enabled", Check: iamLogins,
	}, {
		Name: "rds-backup", Source: rdsAPI,
		Says: "BackupRetentionPeriod is 0 to 35 days; 0 makes no backups", Do: "keep backups for 1 to 35 days",
		Check: within(instance, "backup_retention_period", 1, 35),
	}, {
		Name: "rds-connections", Source: rds + "CHAP_Limits.html#RDS_Limits.MaxConnections",
		Says:  "PostgreSQL's max_connections is LEAST(DBInstanceClassMemory/9531392, 5000) by default, and some are reserved",
		Do:    "lower function_concurrency, or take a larger class: at a release two versions of each function are connected",
		Check: connections,
	}, {
		Name: "rds-logged-values", Source: rds + "USER_LogAccess.Concepts.PostgreSQL.overview.parameter-groups.html",
		Says: "PostgreSQL logs the values that statements are called with, if log_parameter_max_length is not 0; MySQL's " +
			"slow query log always has them",
		Do: "set log_parameter_max_length and log_parameter_max_length_on_error to 0, and leave slow_query_log off: a log " +
			"is kept for long",
		Check: loggedValues,
	}}
}

// Forms of what is checked often.
var (
	smallClass   = regexp.MustCompile(`^db\.(t2|t3|t4g)\.(micro|small)$`)
	snapshotName = regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){0,254}$`)
	uniqueEnd    = regexp.MustCompile(`-[0-9a-f-]{8,}$`)
)

func insights(x Resource, r *Report) {
	r.hold(x.Text("engine") == "postgres" || !x.True("performance_insights_enabled") ||
		!smallClass.MatchString(x.Text("instance_class")), x,
		"performance_insights_enabled on %s %s", x.Text("engine"), x.Text("instance_class"))
}

func parameterFamily(p *Plan, r *Report) {
	for _, x := range p.Of(instance) {
		if group, found := p.find("aws_db_parameter_group", "name", x.Text("parameter_group_name")); found {
			version := x.Text("engine_version")
			if x.Text("engine") == "postgres" {
				version, _, _ = strings.Cut(version, ".")
			}
			r.hold(group.Text("family") == x.Text("engine")+version, x, "%s %s with parameters of %s", x.Text("engine"),
				x.Text("engine_version"), group.Text("family"))
		}
	}
}

func finalSnapshot(x Resource, r *Report) {
	name := x.Text("final_snapshot_identifier")
	if name == "" {
		r.hold(x.True("skip_final_snapshot"), x, "it has no final snapshot")
		return
	}
	r.hold(snapshotName.MatchString(name), x, "final_snapshot_identifier %s", name)
	r.hold(uniqueEnd.MatchString(name), x,
		"final_snapshot_identifier %s is the same for every instance of this name", name)
}

func monitoring(p *Plan, r *Report) {
	for _, x := range p.Of(instance) {
		interval, set := x.Number("monitoring_interval")
		if !set || interval == 0 {
			continue
		}
		r.hold(slices.Contains([]float64{1, 5, 10, 15, 30, 60}, interval), x, "monitoring_interval is %v", interval)
		p.wantTrust(r, x, x.Text("monitoring_role_arn"), "monitoring.rds.amazonaws.com")
		attached := slices.ContainsFunc(p.Of(attachment), func(a Resource) bool {
			return a.Text("role") == roleName(x.Text("monitoring_role_arn")) &&
				strings.HasSuffix(a.Text("policy_arn"), "/AmazonRDSEnhancedMonitoringRole")
		})
		r.hold(attached, x, "its monitoring role lacks AmazonRDSEnhancedMonitoringRole")
	}
}

func reservedNames(p *Plan, r *Report) {
	reserved := []string{"admin", "rdsadmin", "postgres", "root", "rdsrepladmin", "master", "rds_superuser"}
	for _, x := range p.Of(instance) {
		r.hold(!slices.Contains(reserved, strings.ToLower(x.Text("username"))), x, "username %s is reserved",
			x.Text("username"))
	}
}

func subnetZones(p *Plan, r *Report) {
	for _, x := range p.Of("aws_db_subnet_group") {
		zones := map[string]bool{}
		for _, id := range x.Texts("subnet_ids") {
			if subnet, found := p.find("aws_subnet", "id", id); found {
				zones[subnet.Text("availability_zone")] = true
			}
		}
		r.hold(len(zones) >= 2, x, "it has %d zones", len(zones))
	}
}

func logExports(p *Plan, r *Report) {
	kinds := map[string][]string{"mysql": {"audit", "error", "general", "slowquery", "iam-db-auth-error"},
		"postgres": {"postgresql", "upgrade", "iam-db-auth-error"}}
	for _, x := range p.Of(instance) {
		for _, kind := range x.Texts("enabled_cloudwatch_logs_exports") {
			r.hold(slices.Contains(kinds[x.Text("engine")], kind), x, "%s has no log %s", x.Text("engine"), kind)
			name := "/aws/rds/instance/" + x.Text("identifier") + "/" + kind
			_, found := p.find("aws_cloudwatch_log_group", "name", name)
			r.hold(found, x, "RDS creates the log group %s itself, which never expires", name)
		}
	}
}

// parameter returns a parameter of the instance's group.
func (p *Plan) parameter(x Resource, name string) string {
	group, _ := p.find("aws_db_parameter_group", "name", x.Text("parameter_group_name"))
	for _, b := range group.Blocks("parameter") {
		if b.Text("name") == name {
			return b.Text("value")
		}
	}
	return ""
}

func forceTLS(p *Plan, r *Report) {
	parameters := map[string]string{"mysql": "require_secure_transport", "postgres": "rds.force_ssl"}
	for _, x := range p.Of(instance) {
		name := parameters[x.Text("engine")]
		r.hold(p.parameter(x, name) == "1", x, "%s is %q", name, p.parameter(x, name))
	}
}

func loggedValues(p *Plan, r *Report) {
	for _, x := range p.Of(instance) {
		if x.Text("engine") == "mysql" {
			r.hold(p.parameter(x, "slow_query_log") != "1", x, "it logs slow statements, with their values")
			continue
		}
		for _, name := range []string{"log_parameter_max_length", "log_parameter_max_length_on_error"} {
			r.hold(p.parameter(x, name) == "0", x, "%s is %q", name, p.parameter(x, name))
		}
	}
}

func iamLogins(p *Plan, r *Report) {
	for _, x := range p.Of(function) {
		dsn, err := url.Parse(x.Text("environment.0.variables.PGVECTOR_DSN"))
		if err != nil || x.Text("environment.0.variables.PGVECTOR_IAM_AUTH") != "true" {
			continue
		}
		if db, found := p.find(instance, "address", dsn.Hostname()); found {
			arn := strings.Replace(db.Text("arn"), ":rds:", ":rds-db:", 1)
			place, _, _ := strings.Cut(arn, ":db:")
			p.need(r, x, roleName(x.Text("role")), place+":dbuser:"+db.Text("resource_id")+"/"+dsn.User.Username(),
				"rds-db:connect")
		}
	}
	for _, x := range p.Of("aws_iam_role_policy") {
		for _, s := range x.statements("policy") {
			if !slices.Contains(s.Action, "rds-db:connect") {
				continue
			}
			for _, resource := range s.Resource {
				_, login, _ := strings.Cut(resource, ":dbuser:")
				id, user, _ := strings.Cut(login, "/")
				db, found := p.find(instance, "resource_id", id)
				r.hold(found && user != "" && user != "*" && db.True("iam_database_authentication_enabled"), x,
					"%s is no login of an instance with IAM authentication", resource)
			}
		}
	}
}

// Connections of PostgreSQL: what a process keeps whose DSN does not say it (internal/serving/vectorstore), and what is
// left for RDS, the tasks and an operator.
const (
	connectionsOfProcess = 2
	connectionsKept      = 11
)

// poolSize is how a DSN says how many connections a process keeps.
var poolSize = regexp.MustCompile(`[?&]pool_max_conns=([0-9]+)`)

// connections adds up what the functions may open. RDS has less memory for itself than the class: the
// documented formula gives a 1 GiB class 112 connections, and about 80 are seen. 75 a GiB is safe.
func connections(p *Plan, r *Report) {
	gib := map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "4xlarge": 64}
	for _, x := range p.Of(instance) {
		if x.Text("engine") != "postgres" {
			continue
		}
		var open float64
		for _, f := range p.Of("aws_lambda_function") {
			dsn, each := f.Text("environment.0.variables.PGVECTOR_DSN"), float64(connectionsOfProcess)
			if size := poolSize.FindStringSubmatch(dsn); size != nil {
				each, _ = strconv.ParseFloat(size[1], 64)
			}
			if n, _ := f.Number("reserved_concurrent_executions"); n > 0 && strings.Contains(dsn, x.Text("identifier")+".") {
				open += n * each
			}
		}
		class := x.Text("instance_class")
		most := 75*gib[class[strings.LastIndex(class, ".")+1:]] - connectionsKept
		r.hold(2*open <= most, x, "%s has about %v connections to give, and two versions of the functions may open %v",
			class, most, 2*open)
	}
}
