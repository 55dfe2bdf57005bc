"""What every station uses: errors and their messages, files, optional libraries, workers."""
