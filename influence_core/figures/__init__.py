"""Pictures of results: pure functions from a result to a Plotly figure."""
