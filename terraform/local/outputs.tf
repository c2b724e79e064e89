output "stream_name" {
  description = "Activity stream."
  value       = module.stream.stream.name
}

output "buckets" {
  description = "Bucket names by role."
  value       = { for k, b in module.lake.buckets : k => b.name }
}

output "shop_login_arn" {
  description = "Secret with the shop's login, for MYSQL_SECRET_ARN of etl."
  value       = module.shop_login.arn
}
