# One bucket per kind of data, so that a mistake in one policy affects one kind. modules/bucket is
# called with for_each, because checkov reports false findings for resources with for_each over
# buckets.
module "access_logs" {
  source = "../bucket"
  count  = var.access_log_bucket == null ? 0 : 1

  name            = var.access_log_bucket
  log_target      = true
  expire_days     = 400 # a year and a month, so that a month can be compared with the same month a year before
  force_destroy   = var.force_destroy
  lifecycle_rules = var.lifecycle_rules
}

module "bucket" {
  source   = "../bucket"
  for_each = var.buckets

  name            = each.value.name
  kms_key_arn     = var.kms_key_arn
  access_log      = var.access_log_bucket == null ? null : { bucket = module.access_logs[0].name }
  expire_days     = each.value.expire_days
  expire_prefix   = each.value.expire_prefix
  force_destroy   = var.force_destroy
  lifecycle_rules = var.lifecycle_rules
}
