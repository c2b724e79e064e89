output "metric" {
  description = "Metric that counts the runs that succeeded, and how often they should."
  value       = { namespace = "kindred", name = "${var.name}-catalogues", minutes = var.minutes }
}
