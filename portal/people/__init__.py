"""Who people are: users, teams, roles, sign-in, the audit trail and the change feed."""
