"""What users get: flags, rules, evaluation."""
