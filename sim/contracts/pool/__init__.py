"""What a pool owes: its slots, its segments, its retries and ends, its loop; read from documents, jobs and commits."""
