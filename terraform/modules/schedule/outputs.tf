output "metric" {
  description = "Metric that counts the runs that succeeded."
  value       = { namespace = "kindred", name = "${var.name}s" }
}
