"""`python -m tracer`: the same as the command iotrace."""

from tracer.cli.main import main

if __name__ == "__main__":
    main(prog_name="iotrace")
