"""What leaves the warehouse for people to act on: audiences, who was contacted, who was held out."""
