output "task" {
  description = "The program's task definition and role."
  value       = { definition = module.task.definition, role = module.task.role }
}

output "log_group_name" {
  description = "The program's log group."
  value       = module.task.log_group_name
}

output "refused" {
  description = "Metric that counts the models that the gate refused."
  value       = { namespace = "kindred", name = aws_cloudwatch_log_metric_filter.refused.metric_transformation[0].name }
}
