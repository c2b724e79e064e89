output "environment" {
  description = "Environment variables of the programs and of the smoke test."
  value = merge(local.functions_environment, local.shared_stream, {
    AWS_REGION                      = var.region
    LAKE_BUCKET                     = module.lake.buckets["lake"].name
    ARTIFACTS_BUCKET                = module.lake.buckets["artifacts"].name
    RECOMMENDATIONS_BUCKET          = module.lake.buckets["recommendations"].name
    ACTIVITY_STREAM                 = module.stream.stream.name
    RECOMMENDATIONS_DELIVERY_STREAM = module.stream.delivery_stream.name
  })
}

output "functions" {
  description = "Functions, and the alias that the stream and the URL call."
  value       = { recommend = module.recommend.function, serve = module.serve.function, alias = "live" }
}

output "alarms" {
  description = "Names of the alarms that a bad version of a function raises. A promotion watches them."
  value       = module.observability.function_alarms
}

output "reach" {
  description = "Topic of the alarms, and the alarm with which a promotion tests the way to a person."
  value       = { topic = module.observability.alarm_topic_arn, alarm = module.observability.test_alarm }
}

output "endpoint_zones" {
  description = "In how many zones each interface endpoint is, each of which costs by the hour."
  value       = min(local.profile.endpoint_zones, length(var.zones))
}

output "front" {
  description = "Address at which pages call serve, without a slash at its end. null: there is no front."
  value       = one(module.front[*].url)
}

output "batch" {
  description = "Chain, cluster, tasks and image repository, and the subnets and the security groups, by program, to run a task by hand."
  value = {
    chain           = module.chain.chain
    cluster         = module.batch.cluster.name
    tasks           = merge({ train = module.train.task.definition.arn, publish = module.publish.task.definition.arn, erase = module.erase.task.definition.arn }, local.on_glue ? {} : { etl = module.etl.task.definition.arn })
    public          = local.profile.public_tasks
    repository_url  = module.batch.repository_url
    subnet_ids      = module.network.task_subnet_ids
    security_groups = module.network.security_group_ids.programs
  }
}

output "vectors" {
  description = "Identifier of the vector database's instance, and its address for the programs of the image, without a login."
  value       = { identifier = local.vector_database.identifier, dsn = format(local.vector_dsn["image"], "") }
}

output "erase_secret" {
  description = "ARN of the secret of the list of erased persons. A promotion gives it a value."
  value       = module.erase.secret_arn
}

output "roles" {
  description = "Names of the roles by program. delivery is Firehose's."
  value = merge(
    {
      etl       = local.on_glue ? module.glue[0].role : module.etl.task.role.name
      train     = module.train.task.role.name
      publish   = module.publish.task.role.name
      erase     = module.erase.task.role.name
      recommend = module.recommend.role
      serve     = module.serve.role
      delivery  = module.stream.role
    },
    { for f in module.feedback : "feedback" => f.task.role.name },
    { for v in module.verify : "verify" => v.role },
  )
}

output "ci_role" {
  description = "ARN of the role as which continuous integration promotes. null: there is none."
  value       = one(module.ci[*].role_arn)
}
