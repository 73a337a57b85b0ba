"""What tests, trials and measurements share: programs that run, a load, a ledger, fake carriers."""
