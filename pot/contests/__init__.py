"""Contests for whole models, as posters, miners and auditors hold them in their hands."""
