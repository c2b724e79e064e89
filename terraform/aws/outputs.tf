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

output "endpoint_zones" {
  description = "In how many zones each interface endpoint is, each of which costs by the hour."
  value       = min(local.profile.endpoint_zones, length(var.zones))
}

output "front" {
  description = "Address at which pages call serve, without a slash at its end. null: there is no front."
  value       = one(module.front[*].url)
}

output "batch" {
  description = "Chain, cluster, tasks and image repository, and the subnets and the security group to run a task by hand."
  value = {
    chain             = module.chain.chain
    cluster           = module.batch.cluster.name
    tasks             = { train = module.train.task.definition.arn, publish = module.publish.task.definition.arn }
    public            = local.profile.public_tasks
    repository_url    = module.batch.repository_url
    subnet_ids        = module.network.task_subnet_ids
    security_group_id = module.network.security_group_ids["workload"]
  }
}

output "roles" {
  description = "Names of the roles by program. delivery is Firehose's."
  value = merge(
    {
      etl       = local.on_glue ? module.glue[0].role : module.etl.task.role.name
      train     = module.train.task.role.name
      publish   = module.publish.task.role.name
      recommend = module.recommend.role
      serve     = module.serve.role
      delivery  = module.stream.role
    },
    { for f in module.feedback : "feedback" => f.task.role.name },
    { for v in module.verify : "verify" => v.role },
  )
}
