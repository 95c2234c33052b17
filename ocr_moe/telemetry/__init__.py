"""What a run or the service tells of itself while it goes on: metrics, structured logs, a tally."""
