output "stream_name" {
  description = "Activity stream."
  value       = module.streaming.stream.name
}

output "buckets" {
  description = "Bucket names by role."
  value       = { for k, b in module.lake.buckets : k => b.name }
}
