"""Who may do what: tokens, passwords, roles, credentials. Pure; time, salts and secrets are arguments."""
