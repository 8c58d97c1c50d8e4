"""How a run of a method works: chains scheduled, journaled, counted; rows written; resume and plan."""
