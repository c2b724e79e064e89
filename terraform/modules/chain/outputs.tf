output "chain" {
  description = "State machine that runs etl, feedback, train and publish."
  value       = { arn = aws_sfn_state_machine.chain.arn, name = aws_sfn_state_machine.chain.name }
}
