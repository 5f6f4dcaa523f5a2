# A login by su or ssh begins without the image's environment.
source /etc/profile.d/opencode-cloud.sh
