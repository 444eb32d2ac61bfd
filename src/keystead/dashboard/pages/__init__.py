"""The pages: each module has its handlers in `ROUTES`, and asks one service for each."""
