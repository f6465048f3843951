"""Tables, transactions and sealing. Rows never leave this room; domain values do."""
