"""What leaves the warehouse to be acted on: audiences, and the record of who was contacted."""
