# What an administrator of Redmine sets up before anything is connected to it: the REST interface, a password for
# themselves, and a field that holds the anchor.
Setting.rest_api_enabled = '1'
Setting.password_min_length = '12'
Setting.default_notification_option = 'none'
admin = User.find_by_login('admin')
admin.password = admin.password_confirmation = ENV.fetch('PASSWORD')
admin.must_change_passwd = false
admin.save!
UserCustomField.create!(name: 'Anchor', field_format: 'string', editable: false, visible: true)
