"""The data plane: calls come in here, are checked, limited, relayed, metered and recorded."""
