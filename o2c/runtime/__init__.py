"""Running the product: embedded services, start-up, jobs, health, metrics, logs."""
