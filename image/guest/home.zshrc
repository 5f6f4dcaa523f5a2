# Yours, but it ends with the container. What is to last goes to ~/.programs/zshrc.
source /etc/opencode-cloud/zshrc
[[ ! -r ~/.programs/zshrc ]] || source ~/.programs/zshrc
