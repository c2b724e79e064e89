package rules

import (
	"strings"
)

const (
	stream   = "aws_kinesis_stream"
	delivery = "aws_kinesis_firehose_delivery_stream"
	firehose = docs + "firehose/latest/dev/"
	to       = "extended_s3_configuration.0."
)

// streamRules are about Kinesis and Firehose.
func streamRules() []Rule {
	return []Rule{{
		Name: "kinesis-retention", Source: docs + "streams/latest/dev/kinesis-extended-retention.html",
		Says: "A stream keeps records for 24 to 8760 hours", Do: "correct retention_period", Check: within(stream,
			"retention_period", 24, 8760),
	}, {
		Name: "kinesis-mode", Source: docs + "streams/latest/dev/how-do-i-size-a-stream.html",
		Says: "A provisioned stream has a number of shards; an on-demand one must not name one",
		Do:   "set shard_count or the mode",
		Check: each(stream, func(x Resource, r *Report) {
			shards, _ := x.Number("shard_count")
			mode := x.Text("stream_mode_details.0.stream_mode")
			r.hold(mode == "ON_DEMAND" && shards == 0 || mode == "PROVISIONED" && shards >= 1, x, "mode %s with %v shards",
				mode, shards)
		}),
	}, {
		Name: "firehose-buffer", Source: docs + "firehose/latest/APIReference/API_BufferingHints.html",
		Says:  "SizeInMBs is 1 to 128, IntervalInSeconds 0 to 900",
		Do:    "correct buffering_size or buffering_interval",
		Check: both(within(delivery, to+"buffering_size", 1, 128), within(delivery, to+"buffering_interval", 0, 900)),
	}, {
		Name: "firehose-prefix", Source: firehose + "s3-prefixes.html",
		Says: "If the prefix has expressions there must be an error prefix, which must contain !{firehose:error-output-type}",
		Do:   "correct prefix or error_output_prefix",
		Check: each(delivery, func(x Resource, r *Report) {
			prefix, failed := x.Text(to+"prefix"), x.Text(to+"error_output_prefix")
			expressions := strings.Contains(prefix, "!{")
			r.hold((!expressions || strings.Contains(failed, "!{firehose:error-output-type}")) && !strings.Contains(prefix,
				"error-output-type"), x,
				"prefix %s, error prefix %s", prefix, failed)
		}),
	}, {
		Name: "firehose-trust", Source: firehose + "controlling-access.html",
		Says: "firehose.amazonaws.com must be able to assume the delivery role", Do: "name it in the role's trust policy",
		Check: trustOf(delivery, to+"role_arn", "firehose.amazonaws.com"),
	}, {
		Name: "firehose-bucket", Source: firehose + "controlling-access.html#using-iam-s3",
		Says: "Delivery needs s3:AbortMultipartUpload, GetBucketLocation, GetObject, ListBucket, " +
			"ListBucketMultipartUploads and PutObject",
		Do: "allow them on the bucket and its prefixes", Check: deliversTo,
	}, {
		Name: "firehose-key", Source: firehose + "controlling-access.html#using-iam-s3",
		Says: "An encrypted bucket needs kms:Decrypt and kms:GenerateDataKey in the delivery role",
		Do:   "allow both on the key",
		Check: func(p *Plan, r *Report) {
			for _, x := range p.Of(delivery) {
				for _, path := range []string{to + "kms_key_arn", "server_side_encryption.0.key_arn"} {
					if key := x.Text(path); key != "" {
						p.need(r, x, roleName(x.Text(to+"role_arn")), key, "kms:Decrypt", "kms:GenerateDataKey")
					}
				}
			}
		},
	}, {
		Name: "firehose-log", Source: firehose + "monitoring-with-cloudwatch-logs.html",
		Says: "Error logging needs a log group and stream that exist, and logs:PutLogEvents",
		Do:   "create both, and allow the action", Check: deliveryLog,
	}, {
		Name: "firehose-name", Source: docs + "firehose/latest/APIReference/API_CreateDeliveryStream.html",
		Says: "A delivery stream's name has at most 64 characters", Do: "shorten the name", Check: named(delivery,
			"name", `^[a-zA-Z0-9_.-]+$`, 64),
	}, {
		Name: "kinesis-name", Source: docs + "kinesis/latest/APIReference/API_CreateStream.html",
		Says: "A stream's name has at most 128 characters", Do: "shorten the name", Check: named(stream, "name",
			`^[a-zA-Z0-9_.-]+$`, 128),
	}}
}

func deliversTo(p *Plan, r *Report) {
	for _, x := range p.Of(delivery) {
		role, arn := roleName(x.Text(to+"role_arn")), x.Text(to+"bucket_arn")
		if arn == "" {
			continue
		}
		p.need(r, x, role, arn, "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
		for _, path := range []string{to + "prefix", to + "error_output_prefix"} {
			folder, _, _ := strings.Cut(x.Text(path), "!{")
			p.need(r, x, role, arn+"/"+folder+"any", "s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
		}
	}
}

func deliveryLog(p *Plan, r *Report) {
	for _, x := range p.Of(delivery) {
		if !x.True(to + "cloudwatch_logging_options.0.enabled") {
			continue
		}
		name := x.Text(to + "cloudwatch_logging_options.0.log_group_name")
		group, found := p.find("aws_cloudwatch_log_group", "name", name)
		r.hold(found, x, "the plan has no log group %s", name)
		line, found := p.find("aws_cloudwatch_log_stream", "name", x.Text(to+"cloudwatch_logging_options.0.log_stream_name"))
		r.hold(found && line.Text("log_group_name") == name, x, "its log stream is none of %s", name)
		if arn := group.Text("arn"); arn != "" {
			p.need(r, x, roleName(x.Text(to+"role_arn")), arn+":log-stream:any", "logs:PutLogEvents")
		}
	}
}
