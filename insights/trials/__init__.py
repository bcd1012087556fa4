"""What would flags that do nothing have shown? A trial of the verdicts on an environment's own
data: users are split by chance again and again, and nothing else differs between the sides."""
