"""The main job, end to end, on one machine: network, funded task, training, certificates, payouts, audit,
report.
"""
