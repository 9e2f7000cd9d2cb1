"""The derivatives: one differentiable rule a page, and four families of small ones."""
