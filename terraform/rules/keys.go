package rules

import (
	"slices"
	"strings"
)

const (
	kmsKey = "aws_kms_key"
	kms    = docs + "kms/latest/developerguide/"
)

// keyRules are about KMS, and who must be able to use a key.
func keyRules() []Rule {
	return []Rule{{
		Name: "kms-root", Source: kms + "key-policy-default.html",
		Says: "Without a statement for the account's root no IAM policy can allow the key's use, and the key may become " +
			"unmanageable",
		Do: "allow kms:* to the account's root", Check: each(kmsKey, func(x Resource, r *Report) {
			r.hold(slices.ContainsFunc(x.statements("policy"), func(s Statement) bool {
				return s.Effect == "Allow" && slices.Contains(s.Action, "kms:*") && slices.ContainsFunc(s.Principal["AWS"],
					func(who string) bool { return strings.HasSuffix(who, ":root") })
			}), x, "its policy does not name the account")
		}),
	}, {
		Name: "kms-window", Source: docs + "kms/latest/APIReference/API_ScheduleKeyDeletion.html",
		Says: "A key is deleted 7 to 30 days after it was scheduled", Do: "correct deletion_window_in_days",
		Check: within(kmsKey, "deletion_window_in_days", 7, 30),
	}, {
		Name: "kms-rotation", Source: kms + "rotate-keys.html",
		Says: "Only a key with rotation enabled gets new material every year",
		Do:   "set enable_key_rotation", Check: each(kmsKey, func(x Resource,
			r *Report) {
			r.hold(x.True("enable_key_rotation"), x, "it is never rotated")
		}),
	}, {
		Name: "kms-alias", Source: docs + "kms/latest/APIReference/API_CreateAlias.html",
		Says:  "An alias begins with alias/, not with alias/aws/, and has at most 256 letters, digits and / _ -",
		Do:    "correct the name",
		Check: named("aws_kms_alias", "name", `^alias/([b-zA-Z0-9_-]|a[^w]|aw[^s]|aws[^/])[a-zA-Z0-9/_-]*$`, 256),
	}, {
		Name: "kms-logs", Source: docs + "AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
		Says: "logs.<region>.amazonaws.com must be allowed Encrypt, Decrypt, ReEncrypt, GenerateDataKey and Describe, for " +
			"the log groups' ARNs as encryption context",
		Do: "add the statement to the key's policy", Check: keyOfLogs,
	}, {
		Name: "kms-bucket-users", Source: docs + "AmazonS3/latest/userguide/UsingKMSEncryption.html",
		Says: "To read an object of an encrypted bucket a role needs kms:Decrypt on its key, to write one " +
			"kms:GenerateDataKey (and kms:Decrypt for parts)",
		Do: "allow them in the role", Check: bucketUsers,
	}, {
		Name: "kms-stream-users", Source: docs + "streams/latest/dev/permissions-user-key-KMS.html",
		Says: "To read an encrypted stream a role needs kms:Decrypt on its key, to write to it kms:GenerateDataKey",
		Do:   "allow them in the role", Check: streamUsers,
	}, {
		Name: "kms-secret-users", Source: docs + "secretsmanager/latest/userguide/security-encryption.html",
		Says: "To read a secret that a customer managed key encrypts a role needs kms:Decrypt on the key",
		Do:   "allow it in the role", Check: secretUsers,
	}}
}

func keyOfLogs(p *Plan, r *Report) {
	service := "logs." + p.Region + ".amazonaws.com"
	for _, x := range p.Of("aws_cloudwatch_log_group") {
		key, found := p.find(kmsKey, "arn", x.Text("kms_key_id"))
		if !found {
			continue
		}
		ok := slices.ContainsFunc(key.statements("policy"), func(s Statement) bool {
			if s.Effect != "Allow" || !slices.Contains(s.Principal["Service"], service) {
				return false
			}
			for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptTo", "kms:GenerateDataKey",
				"kms:DescribeKey"} {
				if !anyMatches(s.Action, action) {
					return false
				}
			}
			for _, condition := range s.Condition {
				if contexts, limited := condition["kms:EncryptionContext:aws:logs:arn"]; limited && x.Text("arn") != "" &&
					!anyMatches(contexts, x.Text("arn")) {
					return false
				}
			}
			return true
		})
		r.hold(ok, x, "its key does not let %s encrypt it", service)
	}
}

// keyOfBucket returns the key that encrypts the bucket of an S3 ARN, or "".
func (p *Plan) keyOfBucket(arn string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(arn, "arn:aws:s3:::"), "/")
	encryption, _ := p.find("aws_s3_bucket_server_side_encryption_configuration", "bucket", name)
	return encryption.Text("rule.0.apply_server_side_encryption_by_default.0.kms_master_key_id")
}

// usersOf checks, for each role that is allowed one of the actions on a resource, that it may use the
// resource's key for the operations that the action needs.
func (p *Plan) usersOf(r *Report, needs map[string][]string, keyOf func(arn string) string) {
	for _, x := range p.Of("aws_iam_role_policy") {
		for _, s := range x.statements("policy") {
			for _, action := range s.Action {
				for _, arn := range s.Resource {
					if key := keyOf(arn); key != "" && s.Effect == "Allow" {
						p.need(r, x, x.Text("role"), key, needs[action]...)
					}
				}
			}
		}
	}
}

func bucketUsers(p *Plan, r *Report) {
	p.usersOf(r, map[string][]string{"s3:GetObject": {"kms:Decrypt"}, "s3:PutObject": {"kms:GenerateDataKey",
		"kms:Decrypt"}}, p.keyOfBucket)
}

func streamUsers(p *Plan, r *Report) {
	p.usersOf(r, map[string][]string{"kinesis:GetRecords": {"kms:Decrypt"},
		"kinesis:PutRecords": {"kms:GenerateDataKey"}}, func(arn string) string {
		x, _ := p.find(stream, "arn", arn)
		return x.Text("kms_key_id")
	})
}

func secretUsers(p *Plan, r *Report) {
	p.usersOf(r, map[string][]string{"secretsmanager:GetSecretValue": {"kms:Decrypt"}}, func(arn string) string {
		x, _ := p.find(instance, "master_user_secret.0.secret_arn", arn)
		return x.Text("master_user_secret_kms_key_id")
	})
}

// logRules are about CloudWatch Logs.
func logRules() []Rule {
	group := "aws_cloudwatch_log_group"
	return []Rule{{
		Name: "log-retention", Source: docs + "AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
		Says: "Retention is 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, " +
			"3288 or 3653 days",
		Do: "choose one of them", Check: each(group, func(x Resource, r *Report) {
			days, _ := x.Number("retention_in_days")
			r.hold(slices.Contains([]float64{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827,
				2192, 2557, 2922, 3288, 3653}, days), x,
				"it keeps events for %v days", days)
		}),
	}, {
		Name: "log-name", Source: docs + "AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
		Says:  "A log group's name has at most 512 letters, digits and _ - / . #, and must not begin with aws/",
		Do:    "correct the name",
		Check: named(group, "name", `^[.\-_/#A-Za-z0-9]+$`, 512),
	}}
}
