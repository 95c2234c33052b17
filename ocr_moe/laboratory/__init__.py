"""Policies over recorded answers: needs the truth and the workshop, asks nobody."""
