output "environment" {
  description = "What the programs and the smoke test read, by variable."
  value = {
    AWS_REGION                      = var.region
    LAKE_BUCKET                     = module.lake.buckets["lake"].name
    ARTIFACTS_BUCKET                = module.lake.buckets["artifacts"].name
    RECOMMENDATIONS_BUCKET          = module.lake.buckets["recommendations"].name
    ACTIVITY_STREAM                 = module.streaming.stream.name
    RECOMMENDATIONS_DELIVERY_STREAM = module.streaming.delivery_stream.name
  }
}

output "functions" {
  description = "Functions with the alias that the stream and the URL call."
  value       = { recommend = module.streaming.function, serve = module.streaming.serve, alias = "live" }
}

output "batch" {
  description = "Chain, cluster, tasks, and where the image is pushed; subnets and group to run a task by hand."
  value = {
    chain             = module.training.chain
    cluster           = module.training.cluster
    tasks             = module.training.tasks
    repository_url    = module.training.repository_url
    subnet_ids        = module.network.private_subnet_ids
    security_group_id = module.network.security_group_ids["workload"]
  }
}

output "roles" {
  description = "Names of the roles by program."
  value       = merge(module.training.roles, module.streaming.roles, { etl = module.etl.role })
}
