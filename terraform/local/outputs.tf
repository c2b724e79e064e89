output "stream_name" {
  description = "Activity stream."
  value       = module.streaming.stream.name
}

output "buckets" {
  description = "Bucket names by role."
  value       = { for k, b in module.lake.buckets : k => b.name }
}

output "shop_login_arn" {
  description = "Secret with the shop's login: etl's MYSQL_SECRET_ARN."
  value       = module.shop_login.arn
}
