output "url" {
  description = "Address before the paths of the interface, without a slash at its end."
  value       = aws_api_gateway_stage.this.invoke_url
}
