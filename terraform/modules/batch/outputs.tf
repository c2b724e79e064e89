output "repository_url" {
  description = "Repository to which the image is pushed."
  value       = aws_ecr_repository.batch.repository_url
}

output "image" {
  description = "The image with its tag."
  value       = "${aws_ecr_repository.batch.repository_url}:${var.image_tag}"
}

output "cluster" {
  description = "Cluster of the programs' tasks."
  value       = { name = aws_ecs_cluster.batch.name, arn = aws_ecs_cluster.batch.arn }
}

output "execution_role_arn" {
  description = "Role with which ECS starts a task."
  value       = aws_iam_role.execution.arn
}

output "repository_arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.batch.arn
}
