"""Amazon Bedrock's Converse and ConverseStream, as clients speak it and as providers do."""
