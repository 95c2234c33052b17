"""Records made on the machines of a Ray cluster; imported only where a run asks for one.

- `attaching.py` finds or starts the cluster, and asks every node whether it reads as this machine does.
- `office.py` is the one actor that all others ask: permits of endpoints, money, and paid answers, which
  it writes down at once, on the disk of the run.
- `worker.py` is what an actor of the pool does with a block of files.
- `runner.py` is the run's side: a Ray Data pipeline from files to records.

What survives what: an answer that was paid for is with the office before the expert's next question,
pages and records are with the run once their block is done.  A node that is lost with its disk loses
the pages of the blocks it had; a run that is lost, with the head or without, the same of all nodes.
"""
