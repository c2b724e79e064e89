package rules

import (
	"regexp"
	"slices"
	"strings"
)

const (
	task    = "aws_ecs_task_definition"
	ecs     = docs + "AmazonECS/latest/developerguide/"
	fargate = ecs + "fargate-tasks-services.html"
)

// container is what the rules read of a task's container.
type container struct {
	Name                   string
	Image                  string
	ReadonlyRootFilesystem bool
	Environment            []struct{ Name, Value string }
	Secrets                []struct{ Name, ValueFrom string }
	MountPoints            []struct{ SourceVolume string }
	DockerLabels           map[string]string
	LogConfiguration       struct {
		LogDriver string
		Options   map[string]string
	}
}

func (x Resource) containers() (all []container) {
	x.decode("container_definitions", &all)
	return all
}

// batchRules are about ECS on Fargate, and the images' registry.
func batchRules() []Rule {
	return []Rule{{
		Name: "fargate-sizes", Source: fargate + "#fargate-tasks-size",
		Says: "Fargate has fixed pairs of CPU and memory: 256 with 0.5 to 2 GB, 512 with 1 to 4, 1024 with 2 to 8, 2048 " +
			"with 4 to 16, 4096 with 8 to 30, 8192 with 16 to 60 by 4, 16384 with 32 to 120 by 8",
		Do: "choose a pair of the table", Check: each(task, fargateSize),
	}, {
		Name: "fargate-storage", Source: ecs + "fargate-task-storage.html",
		Says: "Ephemeral storage of a Fargate task is 21 to 200 GiB", Do: "correct ephemeral_storage",
		Check: within(task, "ephemeral_storage.0.size_in_gib", 21, 200),
	}, {
		Name: "fargate-network", Source: fargate,
		Says: "Fargate tasks use the network mode awsvpc and need an execution role",
		Do:   "set network_mode, requires_compatibilities and execution_role_arn",
		Check: each(task, func(x Resource, r *Report) {
			r.hold(x.Text("network_mode") == "awsvpc" && slices.Contains(x.Texts("requires_compatibilities"), "FARGATE"), x,
				"network_mode %q, requires_compatibilities %v", x.Text("network_mode"), x.Texts("requires_compatibilities"))
		}),
	}, {
		Name: "ecs-trust", Source: ecs + "task-iam-roles.html",
		Says: "ecs-tasks.amazonaws.com must be able to assume the task role and the execution role",
		Do:   "name ecs-tasks.amazonaws.com in the role's trust policy",
		Check: both(trustOf(task, "task_role_arn", "ecs-tasks.amazonaws.com"), trustOf(task, "execution_role_arn",
			"ecs-tasks.amazonaws.com")),
	}, {
		Name: "ecs-pull", Source: ecs + "task_execution_IAM_role.html",
		Says: "The execution role needs ecr:GetAuthorizationToken, BatchCheckLayerAvailability, GetDownloadUrlForLayer " +
			"and BatchGetImage",
		Do: "allow the actions: the token's on *, the others on the image's repository", Check: pull,
	}, {
		Name: "ecs-logs", Source: ecs + "using_awslogs.html",
		Says: "awslogs needs a log group that exists, its region, and logs:CreateLogStream and logs:PutLogEvents",
		Do:   "create the group, and allow the execution role both actions on it", Check: taskLogs,
	}, {
		Name: "ecs-secrets", Source: ecs + "secrets-envvar-secrets-manager.html",
		Says: "The execution role needs secretsmanager:GetSecretValue on each secret of a container, and kms:Decrypt on " +
			"its key",
		Do: "allow both", Check: taskSecrets,
	}, {
		Name: "ecs-volumes", Source: ecs + "task_definition_parameters.html",
		Says: "A mount point names a volume of the task; a read-only root file system writes only to volumes",
		Do:   "mount a volume of the task", Check: each(task, volumes),
	}, {
		Name: "ecs-image-tag", Source: docs + "AmazonECR/latest/userguide/image-tag-mutability.html",
		Says: "With immutable tags a tag names one image for ever", Do: "keep tags immutable, and name no image latest",
		Check: both(oneOf("aws_ecr_repository", "image_tag_mutability", "IMMUTABLE"), each(task, func(x Resource, r *Report) {
			for _, c := range x.containers() {
				r.hold(strings.Contains(c.Image, ":") && !strings.HasSuffix(c.Image, ":latest"), x, "image %s", c.Image)
			}
		})),
	}, {
		Name: "ecr-name", Source: docs + "AmazonECR/latest/APIReference/API_CreateRepository.html",
		Says:  "A repository's name has 2 to 256 lower-case letters, digits and . _ - /",
		Do:    "correct the name",
		Check: named("aws_ecr_repository", "name", `^[a-z0-9]+([._/-][a-z0-9]+)*$`, 256),
	}, {
		Name: "ecr-lifecycle", Source: docs + "AmazonECR/latest/userguide/lifecycle_policy_parameters.html",
		Says: "Rules have priorities of their own; tagStatus is tagged, untagged or any, and any comes last; tagged needs " +
			"prefixes or patterns",
		Do: "correct the lifecycle policy", Check: each("aws_ecr_lifecycle_policy", lifecycle),
	}}
}

func fargateSize(x Resource, r *Report) {
	cpu, _ := x.Number("cpu")
	memory, _ := x.Number("memory")
	table := map[float64][3]float64{256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024},
		2048: {4096, 16384, 1024},
		4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192}}
	row, known := table[cpu]
	ok := known && memory >= row[0] && memory <= row[1] && int(memory-row[0])%int(row[2]) == 0
	r.hold(ok && (cpu != 256 || memory != 1536), x, "%v CPU units with %v MiB", cpu, memory)
}

func pull(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		role := roleName(x.Text("execution_role_arn"))
		p.need(r, x, role, "*", "ecr:GetAuthorizationToken")
		for _, c := range x.containers() {
			url, _, _ := strings.Cut(c.Image, ":")
			if repository, found := p.find("aws_ecr_repository", "repository_url", url); found {
				p.need(r, x, role, repository.Text("arn"), "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
					"ecr:BatchGetImage")
			}
		}
	}
}

func taskLogs(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		for _, c := range x.containers() {
			group, found := p.find("aws_cloudwatch_log_group", "name", c.LogConfiguration.Options["awslogs-group"])
			r.hold(found && c.LogConfiguration.LogDriver == "awslogs", x, "container %s has no log group of the plan", c.Name)
			r.hold(c.LogConfiguration.Options["awslogs-region"] == p.Region, x, "container %s logs to region %q, not %s", c.Name,
				c.LogConfiguration.Options["awslogs-region"], p.Region)
			if arn := group.Text("arn"); arn != "" {
				p.need(r, x, roleName(x.Text("execution_role_arn")), arn+":log-stream:any", "logs:CreateLogStream",
					"logs:PutLogEvents")
			}
		}
	}
}

func taskSecrets(p *Plan, r *Report) {
	for _, x := range p.Of(task) {
		for _, c := range x.containers() {
			for _, s := range c.Secrets {
				parts := strings.Split(s.ValueFrom, ":")
				secret := strings.Join(parts[:min(len(parts), 7)], ":")
				p.need(r, x, roleName(x.Text("execution_role_arn")), secret, "secretsmanager:GetSecretValue")
				for _, db := range p.Of(instance) {
					if db.Text("master_user_secret.0.secret_arn") == secret {
						p.need(r, x, roleName(x.Text("execution_role_arn")), db.Text("master_user_secret_kms_key_id"), "kms:Decrypt")
					}
				}
			}
		}
	}
}

func volumes(x Resource, r *Report) {
	var names []string
	for _, v := range x.Blocks("volume") {
		names = append(names, v.Text("name"))
	}
	for _, c := range x.containers() {
		for _, m := range c.MountPoints {
			r.hold(slices.Contains(names, m.SourceVolume), x, "container %s mounts %q, which is no volume of %v", c.Name,
				m.SourceVolume, names)
		}
		r.hold(!c.ReadonlyRootFilesystem || len(c.MountPoints) > 0, x, "container %s can write nowhere", c.Name)
	}
}

func lifecycle(x Resource, r *Report) {
	var policy struct {
		Rules []struct {
			RulePriority int
			Selection    struct {
				TagStatus, CountType          string
				CountNumber                   int
				TagPrefixList, TagPatternList []string
			}
		}
	}
	ok := x.decode("policy", &policy) && len(policy.Rules) > 0
	priorities := map[int]bool{}
	for i, rule := range policy.Rules {
		s := rule.Selection
		ok = ok && !priorities[rule.RulePriority] && slices.Contains([]string{"tagged", "untagged", "any"},
			s.TagStatus) && s.CountNumber > 0 &&
			(s.TagStatus != "any" || i == len(policy.Rules)-1) && (s.TagStatus != "tagged" ||
			len(s.TagPrefixList)+len(s.TagPatternList) > 0) &&
			slices.Contains([]string{"imageCountMoreThan", "sinceImagePushed"}, s.CountType)
		priorities[rule.RulePriority] = true
	}
	r.hold(ok, x, "ECR refuses the policy %s", x.Text("policy"))
}

const (
	bucket = "aws_s3_bucket"
	s3     = docs + "AmazonS3/latest/userguide/"
)

// bucketRules are about S3.
func bucketRules() []Rule {
	return []Rule{{
		Name: "s3-name", Source: s3 + "bucketnamingrules.html",
		Says: "A bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots, begins and ends with a letter " +
			"or digit",
		Do:    "shorten name, environment or the bucket's suffix",
		Check: named(bucket, "bucket", `^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`, 63),
	}, {
		Name: "s3-public", Source: s3 + "access-control-block-public-access.html",
		Says: "Block Public Access has four settings; each refuses another way to the public",
		Do:   "give the bucket an aws_s3_bucket_public_access_block with all four", Check: publicAccess,
	}, {
		Name: "s3-tls", Source: s3 + "security-best-practices.html",
		Says: "Only a policy that denies aws:SecureTransport false refuses requests without TLS",
		Do:   "deny s3:* on the bucket and its objects for that condition", Check: tlsOnly,
	}, {
		Name: "s3-log-target", Source: s3 + "ServerLogs.html",
		Says: "The bucket of access logs needs a policy for logging.s3.amazonaws.com, and must use SSE-S3: KMS keys of " +
			"customers are not supported",
		Do: "allow s3:PutObject, and encrypt the target bucket with AES256", Check: logTarget,
	}, {
		Name: "s3-lifecycle", Source: s3 + "intro-lifecycle-rules.html",
		Says: "Days of a lifecycle rule are positive; noncurrent versions stay, and cost, until a rule expires them",
		Do:   "correct the days, or expire noncurrent versions of a versioned bucket", Check: expiry,
	}, {
		Name: "s3-bucket-key", Source: s3 + "bucket-key.html",
		Says: "Without a bucket key S3 calls KMS for every object", Do: "set bucket_key_enabled",
		Check: each("aws_s3_bucket_server_side_encryption_configuration", func(x Resource, r *Report) {
			r.hold(x.Text("rule.0.apply_server_side_encryption_by_default.0.sse_algorithm") != "aws:kms" ||
				x.True("rule.0.bucket_key_enabled"), x,
				"it calls KMS for every object")
		}),
	}}
}

func publicAccess(p *Plan, r *Report) {
	for _, x := range p.Of(bucket) {
		block, found := p.find("aws_s3_bucket_public_access_block", "bucket", x.Text("bucket"))
		r.hold(found && block.True("block_public_acls") && block.True("block_public_policy") &&
			block.True("ignore_public_acls") &&
			block.True("restrict_public_buckets"), x, "it may become public")
	}
}

func tlsOnly(p *Plan, r *Report) {
	for _, x := range p.Of(bucket) {
		policy, _ := p.find("aws_s3_bucket_policy", "bucket", x.Text("bucket"))
		ok := slices.ContainsFunc(policy.statements("policy"), func(s Statement) bool {
			arn := "arn:aws:s3:::" + x.Text("bucket")
			return s.Effect == "Deny" && slices.Contains(s.Action, "s3:*") && slices.Contains(s.Principal["AWS"], "*") &&
				slices.Contains(s.Condition["Bool"]["aws:SecureTransport"], "false") && slices.Contains(s.Resource, arn) &&
				slices.Contains(s.Resource, arn+"/*")
		})
		r.hold(ok, x, "its policy lets requests without TLS pass")
	}
}

func logTarget(p *Plan, r *Report) {
	for _, x := range p.Of("aws_s3_bucket_logging") {
		target := x.Text("target_bucket")
		policy, _ := p.find("aws_s3_bucket_policy", "bucket", target)
		r.hold(slices.ContainsFunc(policy.statements("policy"), func(s Statement) bool {
			return s.Effect == "Allow" && slices.Contains(s.Principal["Service"], "logging.s3.amazonaws.com") &&
				anyMatches(s.Action, "s3:PutObject")
		}), x, "logging.s3.amazonaws.com may not write to %s", target)
		encryption, _ := p.find("aws_s3_bucket_server_side_encryption_configuration", "bucket", target)
		r.hold(encryption.Text("rule.0.apply_server_side_encryption_by_default.0.sse_algorithm") == "AES256", x,
			"%s is encrypted with a key of KMS", target)
	}
}

func expiry(p *Plan, r *Report) {
	for _, x := range p.Of("aws_s3_bucket_lifecycle_configuration") {
		kept := false
		for _, rule := range x.Blocks("rule") {
			for _, path := range []string{"expiration.0.days", "noncurrent_version_expiration.0.noncurrent_days",
				"abort_incomplete_multipart_upload.0.days_after_initiation"} {
				if days, set := rule.Number(path); set {
					r.hold(days >= 1, x, "%s is %v", path, days)
					kept = kept || strings.HasPrefix(path, "noncurrent") && rule.Text("status") == "Enabled"
				}
			}
		}
		versions, _ := p.find("aws_s3_bucket_versioning", "bucket", x.Text("bucket"))
		r.hold(kept || versions.Text("versioning_configuration.0.status") != "Enabled", x,
			"overwritten objects stay for ever")
	}
}

// nameOfDatabase is what Glue and Athena accept as a database's or a table's name.
var nameOfDatabase = regexp.MustCompile(`^[a-z0-9_]{1,255}$`)
