"""What a worker does with a job: data, training and scores."""
